package main

import (
	"strings"
)

// oddCorpus are spellings of /public/../admin and its kin. Each begins like an
// open path, so that whoever reads only the beginning lets it through.
var oddCorpus = []string{
	"/public/../admin", "/public/./admin", "/public/..", "/public/.", "/public/x/../../admin",
	"/public/%2e%2e/admin", "/public/%2E%2e/admin", "/public/.%2e/admin", "/public/%2e%2e%2fadmin", "/public/..%2fadmin",
	"/public/..;/admin", "/public/..;x=1/admin", "/public/..%3b/admin", "/public/;/../admin",
	"/public//admin", "//public/x", "//admin", "/public/x//..//admin",
	`/public/..\admin`, `/public/%5c..%5cadmin`, `/public\x`, "/public/%00/admin", "/public/x%0aadmin", "/public/%c2%85/admin", "/public/\u009b2J", "/public/%0d%0aX-Remote-User:%20root",
	"/public/%c0%ae%c0%ae/admin", "/public/%c0%afadmin", "/public/%ff", "/public/#/../admin", "/public/x%2f..%2fadmin",
}

func pathAttacks() campaign {
	var odd, without, holes []string
	for _, path := range oddCorpus {
		odd = append(odd, known(path))
		without = append(without, anon(path))
	}
	for _, path := range []string{
		"/public/secret", "/public/secret/x", "/public/SECRET/x", "/public/%73ecret/x", "/public/secre%74", "/public/secret;x=1/y",
		"/public/secret/", "/public;x/secret/y", "/public/%C5%BFecret/x", "/public/secret%3bx/y", "/PUBLIC/secret/x",
	} {
		holes = append(holes, anon(path))
	}
	elsewhere := func(path string) (all []string) {
		for _, name := range []string{"X-Forwarded-Uri", "X-Forwarded-Path", "X-Original-Url", "X-Original-Uri", "X-Rewrite-Url", "X-Forwarded-Prefix", "X_Original_URL"} {
			all = append(all, anon(path, name+": /status"))
		}
		return all
	}
	return campaign{
		title: "Which path is it",
		intro: "`/status` and `/public/*` are public, `/public/secret/*` is not, and everything else needs a token.",
		over:  overAll,
		rows: []attempt{
			{
				name: "oauth2-proxy GHSA-7rh7-c77v-6434: an exempt path in the query",
				sent: "`/private?x=/status`, `/private;x=/status`, `/private?/status`, without a token", wants: []string{"401"},
				shots: []string{anon("/private?x=/status"), anon("/private;x=/status"), anon("/private?/status"), anon("/?/../status"), anon("/private/?#/status")},
			},
			{
				name: "oauth2-proxy CVE-2026-41059: a fragment in the target",
				sent: "`/private#/status`, `/status%23/../x`, `/status#/private`, without a token", wants: []string{"401"},
				shots: []string{anon("/private#/status"), anon("/private%23/status"), anon("/status#/private"), anon("/status%23"), anon("/status%23/../x")},
			},
			{
				name: "oauth2-proxy CVE-2026-40575 and #3506, Symfony, IIS: the path in a header",
				sent: "`X-Forwarded-Uri`, `X-Original-Url`, `X-Rewrite-Url` and their kin, with an exempt path, without a token", wants: []string{"401", "open"},
				then: "on open paths such a header does not reach the app, whoever sent it", shots: elsewhere("/private"),
				try: func(s *siege) {
					for _, request := range elsewhere("/status") {
						for name, values := range s.through(request).Header {
							if strings.Contains(strings.Join(values, ""), "/status") {
								s.got("the app saw "+name, request)
							}
						}
					}
					s.got("open", "")
				},
			},
			{
				name: "oauth2-proxy CVE-2026-34457: the User-Agent of a health check; paths of our own",
				sent: "`kube-probe/1.37`, `GoogleHC/1.0`, `ELB-HealthChecker/2.0`; `/healthz`, `/readyz`, `/ping`, `/metrics`, `/drain`", wants: []string{"401"},
				then: "our own endpoints are on other listeners",
				shots: []string{
					anon("/", "User-Agent: kube-probe/1.37"), anon("/", "User-Agent: GoogleHC/1.0"), anon("/", "User-Agent: ELB-HealthChecker/2.0"),
					anon("/healthz"), anon("/readyz"), anon("/startupz"), anon("/livez"), anon("/ping"), anon("/ready"), anon("/metrics"), anon("/debug/pprof/"), send("POST", "/drain", "Content-Length: 0"),
				},
			},
			{
				name: "Oathkeeper GHSA-p224-6x5r-fjpm, Envoy CVE-2021-29492 and CVE-2019-9901: a path with two readings",
				sent: "dot segments, `//`, `\\`, `;`, NUL and other control characters, plain and encoded, behind `/public/`, without a token", wants: []string{"401"},
				then: "such a path is never public", shots: without,
			},
			{
				name: "the same with a token",
				sent: "the same, with a good token", wants: []string{"400"}, then: "`--odd-paths=forward` passes them on as they are",
				shots: odd, proofs: []string{"internal/proxy.TestOddPathsForwarded", "internal/proxy.FuzzPath"},
			},
			{
				name: "Istio 2021-005: another spelling of what a rule denies",
				sent: "`/public/SECRET/x`, `/public/%73ecret/x`, `/public/secret;x=1/y`, `/public/ſecret/x`", wants: []string{"401"}, shots: holes,
				proofs: []string{"internal/proxy.TestRoutes"},
			},
			{
				name: "what is matched is not what is forwarded",
				sent: "canonical paths with odd bytes, queries that no parser likes, with a token", wants: []string{"byte for byte"},
				try: func(s *siege) {
					for _, target := range []string{
						"/", "/?", "/a?b?c", "/%7e", "/~", "/%41", "/a%20b", "/%C3%A4", "/ä", "/%25", "/%252e%252e/", "/%252f", "/%3f", `/"{}|^[]<>`, "/a:b@c!$&'()*+,=", "/a`b",
						"/a?x=/../y", "/?#x", "/?a=%zz&=;=&", "/...", "/a/..b",
					} {
						if got := s.through(known(target)).Target; got != target {
							s.got("changed to "+got, target)
						}
					}
					s.got("byte for byte", "")
				},
				proofs: []string{"internal/proxy.TestTargetByteForByte", "internal/proxy.FuzzRules"},
			},
			{
				name: "CVE-2022-2880, CVE-2026-39825: query parameters that the proxy does not see",
				sent: "`?a=1;b=2&%zz`, 11,000 parameters", wants: []string{"byte for byte"},
				then: "no rule reads the query",
				try: func(s *siege) {
					for _, query := range []string{"?a=1;b=2&c=%zz&%", "?" + strings.Repeat("a&", 11000), "?a=1&a=2"} {
						if got := s.through(known("/q" + query)).Target; got != "/q"+query {
							s.got("changed", query)
						}
					}
					s.got("byte for byte", "")
				},
			},
			{
				name: "Oathkeeper GHSA-vhr5-ggp3-qq85: a header changes which rule matches",
				sent: "`X-Forwarded-Proto`, `X-Forwarded-Host`, `X-Forwarded-Method`, `X-Http-Method-Override`, without a token", wants: []string{"401"},
				shots: []string{
					anon("/private", "X-Forwarded-Proto: https", "X-Forwarded-Host: localhost"), anon("/private", "X-Forwarded-Method: OPTIONS"),
					send("POST", "/read", "Content-Length: 0", "X-Http-Method-Override: GET"), send("get", "/read"), send("HEAD", "/read"),
					strings.Replace(anon("/private"), "shop.example", "localhost", 1),
				},
			},
			{
				name: "Istio CVE-2026-39350: a dot in a rule is any byte",
				sent: "`/aXb`, where `/a.b` is public", wants: []string{"401", "200"}, then: "200 is `/a.b` itself: no rule is a pattern but for `/*` at its end",
				shots: []string{anon("/aXb"), anon("/a.bc"), anon("/a.b")},
			},
			{
				name: "absolute form",
				sent: "`GET http://other.example/private`, `http://other.example/status/../x`, `http:///status`, `mailto:x`", wants: []string{"401", "400", "200"},
				then: "200 is `http://other.example/status`: RFC 9112 wants it understood; the host plays no part",
				shots: []string{
					anon("http://other.example/private"), anon("http://other.example/status/../x"), anon("http://other.example"), anon("http://u:p@other.example/private?/status"),
					known("http:///status"), known("mailto:x"), known("http://other.example//x"), anon("http://other.example/status"),
				},
			},
			{
				name: "CONNECT and asterisk",
				sent: "`CONNECT 169.254.169.254:80`, `CONNECT /status`, `OPTIONS *`, with and without a token", wants: []string{"400", "401"},
				shots: []string{
					send("CONNECT", "169.254.169.254:80", "Authorization: Bearer {token}"), send("CONNECT", "/status", "Authorization: Bearer {token}"),
					send("OPTIONS", "*", "Authorization: Bearer {token}"), send("CONNECT", "169.254.169.254:80"), send("OPTIONS", "*"),
				},
			},
			{
				name: "TRACE shows what the proxy adds",
				sent: "`TRACE /` with a token and a forged name", wants: []string{"200", "401"},
				then:  "it goes to the app, which may refuse it; the token is not in it",
				shots: []string{send("TRACE", "/", "Authorization: Bearer {token}", "X-Remote-User: root"), send("TRACE", "/")},
			},
			{
				name: "Host tricks",
				sent: "two Hosts, none, one with a space, a path, a control byte", wants: []string{"400, closed"},
				shots: []string{
					known("/", "Host: other.example"), "GET / HTTP/1.1\r\nAuthorization: Bearer {token}\r\n\r\n", "GET /status HTTP/1.1\r\nHost: a b\r\n\r\n",
					"GET /status HTTP/1.1\r\nHost: a\x01\r\n\r\n", "GET /status HTTP/1.1\r\nHost: a/b\\c<\r\n\r\n",
				},
			},
		},
	}
}
