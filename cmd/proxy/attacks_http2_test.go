package main

import (
	"fmt"
	"strings"

	"golang.org/x/net/http2"
)

// These are requests in HTTP/2, each a list of fields.
func http2Attacks() campaign {
	shots := func(all ...[]string) func(*siege) {
		return func(s *siege) {
			for _, fields := range all {
				s.shoot(fields...)
			}
		}
	}
	const protocolError = "reset, PROTOCOL_ERROR"
	many := pseudo()
	for i := range 300 {
		many = append(many, fmt.Sprint("x-", i), "v")
	}
	return campaign{
		title: "HTTP/2 requests that HTTP/1.1 could not carry",
		intro: "Over TLS and in clear; the app speaks HTTP/1.1, where the same bytes would mean something else.",
		over:  overBoth,
		rows: []attempt{
			{
				name: "gRPC-Go CVE-2026-33186: `:path` without a slash", sent: "`svc/Method`, `*`, `http://x/status`, empty, `?/status`, `%2fstatus`, with a token and without", wants: []string{"401", "400", protocolError},
				try: shots(pseudo(":path", "svc/Method"), withToken(pseudo(":path", "svc/Method")), pseudo(":path", "*"), withToken(pseudo(":path", "*")), withToken(pseudo(":path", "http://x/status")),
					pseudo(":path", "http://x/status"), withToken(pseudo(":path", "")), withToken(pseudo(":path", "?/status")), withToken(pseudo(":path", "%2fstatus")), pseudo(":path", "status")),
				proofs: []string{"internal/proxy.TestTargetOf"},
			},
			{
				name: "a request line in `:path` or `:method` (H2.0)", sent: "`/ HTTP/1.1\\r\\nX: y`, a space, a tab, a bare LF, a NUL; `GET / HTTP/1.1\\r\\n` as the method", wants: []string{"401", "400", protocolError},
				try: shots(pseudo(":path", "/status HTTP/1.1\r\nX-Remote-User: root\r\nX: y"), withToken(pseudo(":path", "/status HTTP/1.1\r\nX-Remote-User: root\r\nX: y")), withToken(pseudo(":path", "/a b")), pseudo(":path", "/status b"), withToken(pseudo(":path", "/a\tb")),
					withToken(pseudo(":path", "/a\nb")), withToken(pseudo(":path", "/a\x00b")), withToken(pseudo(":method", "GET / HTTP/1.1\r\nX: y\r\n\r\n")), withToken(pseudo(":method", "GET /smuggled HTTP/1.1\r\n")), withToken(pseudo(":method", "")), withToken(pseudo(":method", "G T"))),
			},
			{
				name: "CR, LF and NUL in names and values (H2.X)", sent: "a second header in a value; a colon, a space, an upper case letter in a name; an empty one", wants: []string{protocolError},
				try: shots(withToken(pseudo(), "x-a", "b\r\nX-Remote-User: root"), withToken(pseudo(), "x-a", "b\nc"), withToken(pseudo(), "x-a", "b\x00"), withToken(pseudo(), "x-a: b\r\nx-remote-user", "root"), withToken(pseudo(), "x a", "b"),
					withToken(pseudo(), "X-A", "b"), withToken(pseudo(), "", "b"), withToken(pseudo(), "x-a:", "b")),
			},
			{
				name: "`transfer-encoding` and `connection` (H2.TE)", sent: "`transfer-encoding: chunked` with a chunked request as the body; `connection: x-remote-user`; `upgrade`, `te: gzip`, `keep-alive`, `proxy-connection`", wants: []string{"400", "200"},
				then: "200 is `http2-settings`, which the app does not get",
				try: func(s *siege) {
					for _, extra := range [][]string{
						{"transfer-encoding", "chunked"}, {"connection", "x-remote-user"}, {"connection", "close"}, {"upgrade", "h2c"}, {"keep-alive", "1"}, {"proxy-connection", "close"}, {"te", "gzip"}, {"te", "trailers, deflate"},
						{"transfer-encoding", "identity"}, {"http2-settings", "AAMAAABkAARAAAAAAAIAAAAA"},
					} {
						c := s.h2()
						must(s.t, c.open(1, true, withToken(pseudo(":method", "POST"), extra...)...))
						c.WriteData(1, true, []byte("0\r\n\r\n"+smuggled))
						s.got(c.outcome(1), strings.Join(extra, " "))
						c.Close()
					}
				},
			},
			{
				name: "`content-length` that is not the body's (H2.CL)", sent: "too short, too long, two of them", wants: []string{protocolError, "reset, INTERNAL_ERROR"},
				then: "the app sees that it was cut",
				try: func(s *siege) {
					for _, lengths := range [][]string{{"content-length", "3"}, {"content-length", "300"}, {"content-length", "3", "content-length", "39"}} {
						c := s.h2()
						must(s.t, c.open(1, true, withToken(pseudo(":method", "POST"), lengths...)...))
						c.WriteData(1, true, []byte(smuggled))
						s.got(c.outcome(1), strings.Join(lengths, " "))
						c.Close()
					}
				},
			},
			{
				name: "a body where there is to be none", sent: "`content-length` of `0`, `x`, `-1` or `+39`, and a request as the body", wants: []string{"no body"}, then: "it may be answered before the body is seen to be too much",
				try: func(s *siege) {
					for _, length := range []string{"0", "x", "-1", "+39"} {
						c := s.h2()
						must(s.t, c.open(1, true, withToken(pseudo(":method", "POST"), "content-length", length)...))
						c.WriteData(1, true, []byte(smuggled))
						if body := c.body(1); strings.Contains(body, "smuggled") {
							s.got("the app saw "+body, length)
						}
						s.got("no body", length)
						c.Close()
					}
				},
			},
			{
				name: "pseudo headers", sent: "twice, after others, unknown, missing, as a trailer; `:protocol` (RFC 8441); `:status`", wants: []string{protocolError},
				try: shots(withToken(append(pseudo(":path", "/status"), ":path", "/private")), append([]string{"authorization", "Bearer {token}"}, pseudo()...), withToken(append(pseudo(), ":evil", "x")), withToken(pseudo()[2:]), withToken(pseudo()[:6]),
					withToken(append(pseudo(), ":status", "200")), withToken(append(pseudo(), ":authority", "other.example")), withToken(append(pseudo(":method", "CONNECT"), ":protocol", "websocket")), append(pseudo()[:2], pseudo()[4:]...)),
			},
			{
				name: "`:scheme`, `:authority` and `host`", sent: "a scheme with a path, `:authority` with user, path or space, `host` that differs", wants: []string{protocolError, "400", "the app saw :authority"},
				try: func(s *siege) {
					shots(withToken(pseudo(":scheme", "http://x/status?")), withToken(pseudo(":authority", "x/status")), withToken(pseudo(":authority", "a b")), withToken(pseudo(":authority", "a\r\nX: y")), withToken(pseudo(":authority", "u@x")))(s)
					c := s.h2()
					defer c.Close()
					must(s.t, c.open(1, false, withToken(pseudo(), "host", "evil.example")...))
					if body := c.body(1); strings.Contains(body, "evil") || !strings.Contains(body, `"Host":"shop.example"`) {
						s.got("the app saw "+body, "host")
					}
					s.got("the app saw :authority", "")
				},
			},
			{
				name: "CONNECT in HTTP/2", sent: "`CONNECT` with and without a path, with a token", wants: []string{"400", protocolError},
				try: shots(withToken([]string{":method", "CONNECT", ":authority", "169.254.169.254:80"}), withToken(pseudo(":method", "CONNECT"))),
			},
			{
				name: "identity headers in HTTP/2", sent: "`x-remote-user`, `x_remote_user`, as headers and trailers", wants: []string{"ours"},
				try: func(s *siege) {
					c := s.h2()
					defer c.Close()
					must(s.t, c.open(1, true, withToken(pseudo(":method", "POST"), "x-remote-user", "root", "x_remote_user", "root", "trailer", "x-remote-user, x_remote_group, x-sum")...))
					c.WriteData(1, false, []byte("x"))
					must(s.t, c.open(1, false, "x-remote-user", "root", "x_remote_group", "root", "x-sum", "7"))
					body := c.body(1)
					if strings.Contains(body, "root") || !strings.Contains(body, "system:serviceaccount:ns:caller") || !strings.Contains(body, `"X-Sum":["7"]`) {
						s.got("the app saw "+body, "")
					}
					s.got("ours", "")
				},
			},
			{
				name: "header bombs", sent: "300 lines; 72,000 bytes; 4 KiB that HPACK repeats 2,000 times", wants: []string{"431"},
				try: func(s *siege) {
					s.shoot(many...)
					s.shoot(append(pseudo(), "x-a", strings.Repeat("v", 36000), "x-b", strings.Repeat("v", 36000))...)
					bomb := withToken(pseudo())
					for range 2000 {
						bomb = append(bomb, "x-bomb", strings.Repeat("b", 3900)) // one byte each, after the first
					}
					s.shoot(bomb...)
				}, proofs: []string{"cmd/proxy.TestHeaderLimits"},
			},
			{
				name: "frames that are larger than we have room for", sent: "HEADERS, DATA and an unknown frame of 64 KiB", wants: []string{"closed, FRAME_SIZE_ERROR"}, then: "16 KiB is the least that RFC 9113 wants, and each connection may hold one",
				try: func(s *siege) {
					for _, kind := range []http2.FrameType{http2.FrameHeaders, http2.FrameData, 0xfe} {
						c := s.h2()
						must(s.t, c.open(1, true, withToken(pseudo(":method", "POST"))...))
						c.WriteRawFrame(kind, 0, 1, make([]byte, 64<<10))
						s.got(c.outcome(0), kind.String())
						c.Close()
					}
				},
			},
			{
				name: "h2c by Upgrade", sent: "`Upgrade: h2c` to the gate itself, and HTTP/2 behind it", wants: []string{"401"}, then: "in clear HTTP/2 begins with its preface alone",
				shots: []string{
					anon("/", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"),
					anon("/", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA") + "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
				},
			},
			{
				name: "a stream without a good token", sent: "HTTP/2 without a token, twice", wants: []string{"401", "closed"}, then: "the connection ends with the first: who floods pays for a connection each time",
				try: func(s *siege) {
					c := s.h2()
					defer c.Close()
					must(s.t, c.open(1, false, pseudo()...))
					s.got(c.outcome(1), "")
					s.got(c.outcome(3), "the end")
				}, proofs: []string{"internal/proxy.TestHTTP2ConnectionCloses"},
			},
		},
	}
}
