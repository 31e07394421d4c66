package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// forged are the names by which an app could know a caller.
var forged = []string{
	"X-Remote-User", "X-Remote-Group", "X-Remote-Uid", "X-Remote-Extra-Scopes", "X-Remote-Anything",
	"Impersonate-User", "Impersonate-Group", "X-Forwarded-User", "X-Forwarded-Groups", "X-Forwarded-Email", "X-Forwarded-Preferred-Username",
}

// spellings are those that CGI, WSGI and PHP take for one name.
func spellings(name string) []string {
	return []string{
		name, strings.ToLower(name), strings.ToUpper(name), strings.ReplaceAll(name, "-", "_"), strings.ToLower(strings.ReplaceAll(name, "-", "_")),
		strings.Replace(name, "-", "_", 1), strings.ReplaceAll(name, "-", "."), strings.Replace(name, "-", "~", 1),
	}
}

// claims says who the app takes for the caller, trailers included.
func (x *arrival) claims() string {
	var all []string
	for _, h := range []map[string][]string{x.Header, x.Trailer} {
		for _, name := range slices.Sorted(maps.Keys(h)) {
			folded := foldAsCGI(name)
			for _, f := range forged {
				if strings.HasPrefix(folded, foldAsCGI(f)) || strings.HasPrefix(folded, "x-remote") || strings.HasPrefix(folded, "x-forwarded-user") {
					all = append(all, fmt.Sprint(name, h[name]))
					break
				}
			}
		}
	}
	return strings.Join(all, " ")
}

// ours tries requests and notes whether the app saw us say who calls, and nobody
// else.
func (s *siege) ours(requests ...string) {
	s.t.Helper()
	honest := s.through(known("/")).claims()
	for _, request := range requests {
		want := honest
		if !strings.Contains(request, "{token}") {
			want = ""
		}
		if got := s.through(request).claims(); got != want {
			s.got("the app saw "+got+" and not "+want, request)
		} else {
			s.got("ours", request)
		}
	}
}

func headerAttacks() campaign {
	var every, named []string
	for _, name := range forged {
		for _, spelling := range spellings(name) {
			every = append(every, spelling+": root", spelling+": system:admin")
			named = append(named, spelling)
		}
	}
	// All of them at once are more lines than one header may have.
	var spoofs, deleted, open []string
	for lines := range slices.Chunk(every, 120) {
		spoofs = append(spoofs, known("/", lines...))
		open = append(open, anon("/status", lines...), anon("/public/x", lines...))
	}
	for names := range slices.Chunk(append(named, "X-Forwarded-For", "X-Real-Ip", "Host", "X-Remote-Extra-Authentication.kubernetes.io%2fpod-Name"), 10) {
		list := strings.Join(names, ", ")
		deleted = append(deleted, known("/", "Connection: "+list), known("/", "Connection: close, "+strings.ToLower(list)),
			known("/", "Connection:", "Connection: "+list, "Connection: keep-alive"))
	}
	var trailers []string
	for _, name := range forged {
		for _, spelling := range spellings(name)[:5] {
			trailers = append(trailers,
				send("POST", "/", "Authorization: Bearer {token}", "Transfer-Encoding: chunked", "Trailer: "+spelling)+"1\r\nx\r\n0\r\n"+spelling+": root\r\n\r\n",
				send("POST", "/", "Authorization: Bearer {token}", "Transfer-Encoding: chunked")+"0\r\n"+spelling+": root\r\n\r\n")
		}
	}
	many := make([]string, 300)
	for i := range many {
		many[i] = fmt.Sprintf("Baggage: k%d=v", i)
	}
	return campaign{
		title: "Who is calling",
		intro: "\"Ours\" means that the app saw our words for who calls, each once, and nobody else's.",
		over:  overAll,
		rows: []attempt{
			{
				name: "oauth2-proxy CVE-2025-64484: `X_Forwarded_User`, which WSGI takes for `X-Forwarded-User`",
				sent: "each identity header, in every mix of case, `-`, `_` and `.`, twice", wants: []string{"ours"},
				try: func(s *siege) { s.ours(spoofs...) }, proofs: []string{"internal/proxy.TestForgedIdentity", "internal/proxy.FuzzRemoveClaims"},
			},
			{
				name: "Envoy #46586 and #43630: claim headers on exempt paths",
				sent: "the same on public paths, without a token", wants: []string{"ours"}, then: "that is: none",
				try: func(s *siege) { s.ours(open...) },
			},
			{
				name: "the same in a preflight, and where the answer is an error", sent: "`OPTIONS` with `Origin`; a bad token; a HEAD", wants: []string{"401"},
				shots: []string{
					send("OPTIONS", "/", "Origin: https://x.example", "Access-Control-Request-Method: GET", "X-Remote-User: root"),
					anon("/", "X-Remote-User: root", "Authorization: Bearer x.y.z"), send("HEAD", "/", "X-Remote-User: root"),
				},
			},
			{
				name: "Traefik CVE-2026-39858: underscore aliases go to the auth service", unconcerned: "there is no auth service: the gate decides itself, and the API server gets the token alone (see Traefik CVE-2026-41181)",
			},
			{
				name: "Traefik CVE-2026-88004: an identity header as a trailer",
				sent: "each of them behind a chunked body, announced and not", wants: []string{"ours"}, then: "other trailers pass",
				try: func(s *siege) { s.ours(trailers...) }, proofs: []string{"internal/proxy.TestForgedTrailers", "internal/proxy.TestRequestTrailers"},
			},
			{
				name: "Traefik CVE-2021-32813 and CVE-2024-45410, CVE-2021-33197: `Connection` names a header away",
				sent: "`Connection:` with each identity header, `X-Forwarded-For` and `Host`, in any case, in several lines, the first of them empty", wants: []string{"ours"},
				try: func(s *siege) {
					s.ours(deleted...)
					for _, request := range deleted {
						if x := s.through(request); x.Host != "shop.example" || len(x.Header["X-Forwarded-For"]) != 1 {
							s.got(fmt.Sprintf("the app saw the host %q and X-Forwarded-For %q", x.Host, x.Header["X-Forwarded-For"]), request)
						}
					}
				}, proofs: []string{"internal/proxy.TestConnectionNamesOurs"},
			},
			{
				name: "Traefik CVE-2024-52003, GHSA-6384-m2mw-rf54, GHSA-3q9r-p662-5j8m: `X-Forwarded-Prefix` and `-Port` believed",
				sent: "`X-Forwarded-*`, `Forwarded`, `X-Real-Ip` and `X_Forwarded_For`, all of them forged", wants: []string{"from the socket"},
				try: func(s *siege) {
					request := known("/", "X-Forwarded-For: 6.6.6.6", "X-Forwarded-Proto: gopher", "X-Forwarded-Host: evil.example", "X-Forwarded-Port: 6", "X-Forwarded-Prefix: /evil",
						"Forwarded: for=6.6.6.6", "X-Real-Ip: 6.6.6.6", "X_Forwarded_For: 6.6.6.6", "X.Real.Ip: 6.6.6.6", "X-Forwarded: evil")
					for name, values := range s.through(request).Header {
						text := strings.Join(values, " ")
						if strings.Contains(text, "6.6.6.6") || strings.Contains(text, "evil") || strings.Contains(text, "gopher") || text == "6" {
							s.got("the app saw "+name+": "+text, request)
						}
					}
					s.got("from the socket", request)
				}, proofs: []string{"internal/proxy.TestForwarding", "internal/proxy.TestTrusts"},
			},
			{
				name: "Istio CVE-2026-31838, Envoy CVE-2026-26308: the first of several values decides",
				sent: "`Authorization` twice, good and bad in either order; two tokens in one line", wants: []string{"400"},
				then: "no rule reads any other header",
				shots: []string{
					known("/", "Authorization: Bearer x"), anon("/", "Authorization: Bearer {token}", "Authorization: Bearer x"), anon("/", "Authorization: Bearer {token}", "authorization: Basic YTpi"),
					anon("/", "Authorization: Bearer {token}, Bearer {token}"), anon("/", "Authorization: Bearer {token} {token}"),
				},
			},
			{
				name: "another place for a token", sent: "`Proxy-Authorization`, `X-Authorization`, a cookie, the query, `Sec-WebSocket-Protocol`, `Authorization` as a trailer, in another spelling, or on a public path", wants: []string{"401", "not passed on"},
				shots: []string{
					anon("/", "Proxy-Authorization: Bearer {token}"), anon("/", "X-Authorization: Bearer {token}"), anon("/", "X-Forwarded-Access-Token: {token}"), anon("/?access_token=x"),
					anon("/", "Authorization: Basic {token}"), anon("/", "Authorization_: Bearer {token}"), anon("/", "Sec-WebSocket-Protocol: base64url.bearer.authorization.k8s.io.x"),
					send("POST", "/", "Transfer-Encoding: chunked", "Trailer: Authorization") + "0\r\nAuthorization: Bearer {token}\r\n\r\n",
				},
				try: func(s *siege) {
					for _, scheme := range []string{"Bearer ", "bearer  ", "BEARER\t"} {
						if x := s.through(anon("/status", "Authorization: "+scheme+"{token}")); x.Header["Authorization"] != nil {
							s.got("passed on", scheme)
						}
					}
					s.got("not passed on", "")
				}, proofs: []string{"internal/proxy.TestAuthorization", "internal/proxy.TestOtherHeaders"},
			},
			{
				name: "OpenTelemetry CVE-2026-29181: a header of many values", sent: "300 lines of `Baggage`, with and without a token", wants: []string{"431"},
				shots: []string{known("/", many...), anon("/", many...), anon("/status", many...)},
			},
		},
	}
}
