package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// specialPaths are what the app does not answer with what it saw.
var specialPaths = map[string]http.HandlerFunc{
	// Before it has read the body.
	"/early": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusRequestEntityTooLarge) },
	// An upgrade is turned down.
	"/upgrade/200": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(200) },
	"/upgrade/403": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(403) },
	"/upgrade/426": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(426) },
	// Another protocol than was asked for.
	"/upgrade/h2c": func(w http.ResponseWriter, _ *http.Request) { switchTo(w, "h2c") },
	// Interim answers, and then one whose header differs.
	"/hints": func(w http.ResponseWriter, _ *http.Request) {
		for i := range 3 {
			w.Header()[fmt.Sprint("X-Hint-", i)] = []string{"x"}
			w.WriteHeader(http.StatusEarlyHints)
		}
	},
	// An app that takes every upgrade.
	"/upgrade/any": func(w http.ResponseWriter, r *http.Request) { switchTo(w, r.Header.Get("Upgrade")) },
}

// switchTo says 101, whatever was asked, and then takes what comes.
func switchTo(w http.ResponseWriter, protocol string) {
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		w.WriteHeader(http.StatusNotImplemented) // HTTP/2
		return
	}
	defer conn.Close()
	fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\n", protocol)
	io.Copy(io.Discard, rw)
}

func bodyAttacks() campaign {
	const expect = "Expect: 100-continue"
	long := strings.Repeat("x", 1<<20) + smuggled
	lengths := func(body string) string { return fmt.Sprintf("Content-Length: %d", len(body)) }
	early := func(lines ...string) string {
		return send("POST", "/early", append(lines, "Authorization: Bearer {token}")...)
	}
	return campaign{
		title: "Bodies that do not come, or come too late",
		intro: "The connection is either at the beginning of a request, or closed.",
		over:  []way{{app: "http"}, {app: "unix"}, {app: "h2c"}},
		rows: []attempt{
			{
				name: "golang/go #34902, CVE-2020-15586, CVE-2024-24791: `Expect` and an early refusal", sent: "`Expect: 100-continue` without a token, with a bad one, for an odd path, with another request where the body should be", wants: []string{"401, closed", "400, closed"},
				shots: []string{
					send("POST", "/", expect, lengths(smuggled)) + smuggled, send("POST", "/", expect, "Transfer-Encoding: chunked"), send("POST", "/", expect, lengths(smuggled), "Authorization: Bearer x.y.z") + smuggled,
					send("POST", "/a//b", expect, lengths(smuggled), "Authorization: Bearer {token}") + smuggled,
				}, proofs: []string{"internal/proxy.TestContinue"},
			},
			{
				name: "the same, refused by the app", sent: "20 times `Expect: 100-continue`, where the app answers before it has the body; then requests of others", wants: []string{"413, closed", "their own answers"},
				then: "no connection to the app is used again in the middle of a body",
				try: func(s *siege) {
					for range 20 {
						s.got(s.raw(early(expect, lengths(smuggled))).outcome, "")
						s.ownAnswer()
					}
					s.got("their own answers", "")
				},
			},
			{
				name: "other expectations", sent: "`Expect: 200-ok`", wants: []string{"417, closed"}, then: "RFC 9110, 10.1.1",
				shots: []string{known("/", "Expect: 200-ok")},
			},
			{
				name: "an early answer while the body is still coming", sent: "1 MiB with another request at its end, where the app answers 413 at once, or the gate 401", wants: []string{"413", "401, closed"},
				then:  "the app may have been sent all of it; else the connection is closed",
				shots: []string{send("POST", "/", lengths(long)) + long},
				try: func(s *siege) {
					for _, request := range []string{early(lengths(long)) + long, early("Transfer-Encoding: chunked") + fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(long), long)} {
						outcome, _ := strings.CutSuffix(s.raw(request).outcome, ", closed")
						s.got(outcome, request)
						s.ownAnswer()
					}
				}, proofs: []string{"internal/proxy.TestEarlyAnswer", "internal/proxy.TestRefusalWithBody"},
			},
			{
				name: "the same with a short body", sent: "a short body, all of it there, where the answer comes first", wants: []string{"401", "413"}, then: "it is taken off the connection, or the connection is closed",
				try: func(s *siege) {
					s.got(s.raw(send("POST", "/", lengths(smuggled))+smuggled).outcome, "")
					for range 10 {
						outcome, _ := strings.CutSuffix(s.raw(early(lengths(smuggled))+smuggled).outcome, ", closed")
						s.got(outcome, "") // which of the two is a matter of time
						s.ownAnswer()
					}
				},
			},
			{
				name: "slow headers", sent: "a header that never ends, a byte now and then", wants: []string{"closed in time"}, then: "`--read-header-timeout`, here 1 s; and `--max-connections`",
				try: func(s *siege) { s.slowly("GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ", 1) }, proofs: []string{"cmd/proxy.TestSlowLoris", "cmd/proxy.TestSlowLorisMemory", "cmd/proxy.TestSlowLorisOnProbes"},
			},
			{
				name: "a slow body that nobody wants", sent: "without a token a body that never ends, of a known length and chunked", wants: []string{"401, and closed in time"}, then: "401 at once; 2 s later the connection is cut",
				try: func(s *siege) {
					s.slowly("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n", 3)
					s.slowly("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfffff\r\n", 3)
				}, proofs: []string{"cmd/proxy.TestUnfinishedBodyWithoutToken"},
			},
			{
				name: "bodies that break off", sent: "half of what was announced, then the end", wants: []string{"none"}, then: "the app sees that it was cut",
				try: func(s *siege) {
					for _, request := range []string{posts("half", "Content-Length: 100"), posts("64\r\nhalf", "Transfer-Encoding: chunked")} {
						c := s.dialGate("http/1.1")
						fmt.Fprint(c, strings.ReplaceAll(request, "{token}", s.good))
						closeWrite(c)
						answer, _ := io.ReadAll(c)
						s.got(map[bool]string{true: "none", false: string(answer)}[len(answer) == 0], request)
					}
				}, proofs: []string{"internal/proxy.TestClientGone"},
			},
		},
		args: []string{"--read-header-timeout=1s"},
	}
}

// ownAnswer fails the row if somebody else does not get what is meant for them.
func (s *siege) ownAnswer() {
	s.t.Helper()
	s.mu.Lock()
	s.serial++
	path := fmt.Sprint("/own/", s.serial)
	s.mu.Unlock()
	if r := s.raw(known(path)); r.seen == nil || r.seen.Target != path {
		s.t.Errorf("%s got %s %.200q", path, r.outcome, r.body)
	}
}

// slowly sends a byte now and then, until it is cut, which is to be within some
// seconds.
func (s *siege) slowly(text string, within int) {
	s.t.Helper()
	c := s.dialGate("http/1.1")
	begun := time.Now()
	fmt.Fprint(c, text)
	go func() {
		for {
			if _, err := fmt.Fprint(c, "x"); err != nil {
				return
			}
			time.Sleep(100 * time.Millisecond)
		}
	}()
	answer, _ := io.ReadAll(c) // a reset is an end, too
	got := "closed in time"
	if len(answer) > 0 {
		got = string(answer)[len("HTTP/1.1 "):][:3] + ", and closed in time"
	}
	if took := time.Since(begun); took > time.Duration(within)*time.Second+2*time.Second*unhurried {
		got = fmt.Sprint("closed after ", took)
	}
	s.got(got, text)
}
