package main

import (
	"fmt"
	"io"
	"strings"
	"time"
)

func loadAttacks() campaign {
	return campaign{
		title: "Too much of everything",
		intro: "Limits are in [limits.md](limits.md); floods of bad tokens are measured by `make bench-floods`.",
		over:  overBoth,
		rows: []attempt{
			{
				name: "header bombs", sent: "300 lines; 80 KiB in one line, in one name, in the target; lines without an end", wants: []string{"431", "431, closed"},
				shots: []string{
					known("/", strings.Fields(strings.Repeat("a:b ", 300))...), known("/", "X-A: "+strings.Repeat("v", 80<<10)), known("/", strings.Repeat("n", 80<<10)+": v"), known("/" + strings.Repeat("p", 80<<10)),
					"GET / HTTP/1.1\r\nHost: x\r\n" + strings.Repeat("a: b\r\n", 20000), strings.Repeat("G", 80<<10), "GET / HTTP/1.1\r\nHost: x\r\nCookie: " + strings.Repeat("c=d; ", 20000) + "\r\n\r\n",
				}, proofs: []string{"cmd/proxy.TestHeaderLimits"},
			},
			{
				name: "an answer that is not taken", sent: "a request for an endless answer, of which nothing is read", wants: []string{"the app waits", "others are served"},
				try: func(s *siege) {
					s.endless.Store(0)
					c := s.dialGate("http/1.1")
					defer c.Close()
					io.WriteString(c, strings.ReplaceAll(known("/endless"), "{token}", s.good))
					s.got(map[bool]string{true: "the app waits"}[s.appWaits(func() {})], "")
					s.othersAreServed()
				},
			},
			{
				name: "pipelining without an end", sent: "2,000 requests without a token in one write", wants: []string{"twenty in a second", "others are served"}, then: "the first 32 at once, and as many as like of somebody who was let in",
				proofs: []string{"internal/connlimit.TestAhead"},
				try: func(s *siege) {
					c := s.dialGate("http/1.1")
					defer c.Close()
					go io.WriteString(c, strings.Repeat(anon("/"), 2000))
					must(s.t, c.SetReadDeadline(time.Now().Add(2*time.Second)))
					answers, _ := io.ReadAll(c)
					switch n := strings.Count(string(answers), "HTTP/1.1 401"); {
					case n > 1 && n <= 100:
						s.got("twenty in a second", "")
					default:
						s.got(fmt.Sprint(n, " refusals in 2 s"), "")
					}
					s.othersAreServed()
				},
			},
			{
				name: "connections, requests under way, streams", sent: "more than there may be", wants: nil, then: "see [limits.md](limits.md)",
				proofs: []string{"cmd/proxy.TestSlowLoris", "cmd/proxy.TestRequestsUnderWay", "cmd/proxy.TestHangingDecisions", "cmd/proxy.TestFilesRunOut"},
			},
		},
	}
}
