package main

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"sallyport/internal/config"
)

// refusesToStart notes whether a configuration is refused.
func (s *siege) refusesToStart(args ...string) {
	s.t.Helper()
	if _, err := config.Load(args); err == nil {
		s.got("starts", strings.Join(args, " "))
		return
	}
	s.got("refuses to start", "")
}

func ownAttacks() campaign {
	return campaign{
		title: "The gate itself",
		intro: "Its other listeners, its files, its configuration, and what goes past it.",
		over:  overBoth,
		rows: []attempt{
			{
				name: "CVE-2026-25679, CVE-2025-47912: sloppy URLs in the configuration", sent: "issuers and apps with user names, queries, fragments, odd hosts, and plain http", wants: []string{"refuses to start"},
				try: func(s *siege) {
					const ok = "--audience=a --tls=off"
					for _, url := range []string{"http://issuer.example", "https://u:p@issuer.example", "https://issuer.example?x", "https://issuer.example#x", "https://", "https://[::1", "https://[::1]x", "https://issuer.example:x", "//issuer", "file:///etc/passwd"} {
						s.refusesToStart(append(strings.Fields(ok), "--upstream=http://127.0.0.1:1", "--issuer="+url)...)
					}
					for _, url := range []string{"http://u:p@127.0.0.1:1", "http://127.0.0.1:1/x", "http://127.0.0.1:1?x", "http://127.0.0.1:1#x", "http://[::1", "http://", "gopher://127.0.0.1:1", "unix://run/x"} {
						s.refusesToStart(append(strings.Fields(ok), "--upstream="+url)...)
					}
				}, proofs: []string{"internal/config.TestParseUpstream", "internal/config.TestFlags", "internal/authn/oidc.TestDiscovered"},
			},
			{
				name: "Pomerium CVE-2024-39315 and CVE-2023-33189: pages that tell too much", sent: "every page of `--admin-listen` and `--debug-listen`, after tokens were seen", wants: []string{"nothing told"},
				try: func(s *siege) {
					s.raw(known("/"))
					for _, path := range []string{"/", "/log-level", "/status", "/debug/pprof/heap", "/debug/vars", "/drain"} {
						_, text := s.debug(path, nil)
						s.noTokenIn(text)
					}
					s.nothingTold()
					s.got("nothing told", "")
				},
			},
			{
				name: "DNS rebinding and other web pages, at `--debug-listen`", sent: "`Host: evil.example`; a POST from another site; a GET that would change something", wants: []string{"403", "405"},
				try: func(s *siege) {
					code, _ := s.debug("/log-level", func(r *http.Request) { r.Host = "evil.example" })
					s.got(fmt.Sprint(code), "Host")
					code, _ = s.debug("/drain", func(r *http.Request) { r.Method = "POST"; r.Header.Set("Origin", "https://evil.example") })
					s.got(fmt.Sprint(code), "Origin")
					code, _ = s.debug("/drain", func(r *http.Request) { r.Method = "POST"; r.Header.Set("Sec-Fetch-Site", "cross-site") })
					s.got(fmt.Sprint(code), "Sec-Fetch-Site")
					code, _ = s.debug("/drain", nil)
					s.got(fmt.Sprint(code), "GET")
				}, proofs: []string{"internal/health.TestWhoMayCall", "internal/health.TestWhoMayRead"},
			},
			{
				name: "gabi #164: the app's port is reached past the gate", sent: "a forged identity at the pod's address", proofs: []string{"cmd/proxy.TestBypass", "internal/bypass.TestLooksWhenTheAppIsThere"}, then: "no gate can answer; ours finds the open door, and says so",
			},
			{
				name: "the gate's own token file: torn, swapped, empty, not a token", sent: "rotations, garbage, an empty file, no file, while callers come", wants: []string{"200"}, then: "the last good token stays",
				try: func(s *siege) {
					for range 5 {
						must(s.t, s.kubelet.RotateNow())
						s.presents(s.world.token())
					}
				},
				proofs: []string{"internal/tokenfile.TestTenThousandRotations", "internal/tokenfile.TestTornInPlace", "internal/tokenfile.TestBadFile", "cmd/proxy.TestMissingTokenFile"},
			},
			{
				name: "what is not encrypted, or badly", sent: "HTTP in clear to the TLS listener, TLS 1.1; an unfinished handshake", wants: []string{"refused", "200"},
				then: "without TLS, 200 is a good caller's", try: clearToTLS, proofs: []string{"cmd/proxy.TestTLS", "cmd/proxy.TestSlowLorisMemory"},
			},
			{
				name: "Envoy, Istio: rules about who may do what", unconcerned: "the gate has none: it says who calls, and the app decides",
			},
			{
				name: "ext_authz and forward-auth modes: whoever may ask is believed", unconcerned: "there is no such mode",
			},
		},
	}
}

// debug calls the listener for debugging.
func (s *siege) debug(path string, change func(*http.Request)) (int, string) {
	s.t.Helper()
	req, err := http.NewRequest(http.MethodGet, "http://"+s.gate.debug.addr()+path, nil)
	must(s.t, err)
	if change != nil {
		change(req)
	}
	client := &http.Client{Timeout: 5 * time.Second}
	res, err := client.Do(req)
	must(s.t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	must(s.t, err)
	return res.StatusCode, string(body)
}

func clearToTLS(s *siege) {
	other := &siege{whole: s.t, way: way{app: "http"}, tap: s.tap, outcomes: map[string]string{}}
	other.world = start(s.t, append(certified(s.t, time.Hour), "--upstream="+s.app.URL)...)
	other.good = other.world.token()
	other.refused(known("/"))
	for outcome := range other.outcomes {
		s.got(outcome, "in clear")
	}
	other.noTokenIn(other.log.String())
	c := other.dialGate("")
	old := tls.Client(c, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11})
	if err := old.Handshake(); err == nil {
		s.got("TLS 1.1", "")
	} else {
		s.got("refused", "")
	}
	other.way.tls = true
	s.got(other.raw(known("/")).outcome, "a good caller")
}
