package loopback

import (
	"fmt"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"testing"
)

func TestAnswers(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\n"
	hint := "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
	pad := func(n int) string { return "Pad: " + strings.Repeat("x", n) + "\r\n" }
	for _, tc := range []struct {
		name, method, answer string
		want                 string // code, body and trailers; "" for an error
		cut                  bool   // the body ends in an error
		shut                 bool   // the app closes the connection
		kept                 bool   // the connection has another request
		ours                 bool   // net/http's answer is another; see there
	}{
		{name: "sized", answer: ok + "Content-Length: 2\r\n\r\nhi", want: "200 hi", kept: true},
		{name: "sized and empty", answer: ok + "Content-Length: 0\r\n\r\n", want: "200 ", kept: true},
		{name: "larger than the buffer", answer: ok + "Content-Length: 9000\r\n\r\n" + strings.Repeat("z", 9000), want: "200 " + strings.Repeat("z", 9000), kept: true},
		{name: "to HEAD", method: "HEAD", answer: ok + "Content-Length: 2\r\n\r\n", want: "200 ", kept: true},
		{name: "to HEAD, chunked", method: "HEAD", answer: ok + "Transfer-Encoding: chunked\r\n\r\n", want: "200 ", kept: true},
		{name: "to HEAD, with a body", method: "HEAD", answer: ok + "Content-Length: 2\r\n\r\nhi", want: "200 "},
		{name: "to OPTIONS", method: "OPTIONS", answer: ok + "Content-Length: 2\r\n\r\nhi", want: "200 hi", kept: true},
		{name: "to POST without a body", method: "POST", answer: ok + "Content-Length: 2\r\n\r\nhi", want: "200 hi", kept: true},
		{name: "204", answer: "HTTP/1.1 204 No Content\r\n\r\n", want: "204 ", kept: true},
		{name: "204 with a length", answer: "HTTP/1.1 204 No Content\r\nContent-Length: 9\r\n\r\n", want: "204 ", kept: true},
		{name: "204 with a body", answer: "HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nhi", want: "204 "},
		{name: "304 with a length", answer: "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", want: "304 ", kept: true},
		{name: "chunked", answer: ok + "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n3;x=y\r\n to\r\n0\r\n\r\n", want: "200 hi to", kept: true},
		{name: "chunked and empty", answer: ok + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", want: "200 ", kept: true},
		{name: "trailers", answer: ok + "Trailer: A\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nA: 1\r\nB: 2\r\n\r\n", want: "200 hi A=1 B=2", kept: true},
		{name: "trailers without end", answer: ok + "Transfer-Encoding: chunked\r\n\r\n0\r\nA: " + strings.Repeat("x", 8<<10) + "\r\n\r\n", want: "200 ", cut: true},
		{name: "a malformed chunk", answer: ok + "Transfer-Encoding: chunked\r\n\r\nzz\r\nhi\r\n0\r\n\r\n", want: "200 ", cut: true},
		{name: "a short chunk", shut: true, answer: ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nhi", want: "200 hi", cut: true},
		{name: "a short body", shut: true, answer: ok + "Content-Length: 5\r\n\r\nhi", want: "200 hi", cut: true},
		{name: "until the end", shut: true, answer: ok + "\r\nhi", want: "200 hi"},
		{name: "Connection: close", answer: ok + "Connection: close\r\nContent-Length: 2\r\n\r\nhi", want: "200 hi"},
		{name: "Connection: close, empty", answer: ok + "Connection: close\r\nContent-Length: 0\r\n\r\n", want: "200 "},
		{name: "HTTP/1.0", answer: "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", want: "200 hi"},
		{name: "HTTP/1.0, kept", answer: "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nhi", want: "200 hi", kept: true},
		{name: "garbage after a body", answer: ok + "Content-Length: 2\r\n\r\nhi!", want: "200 hi"},
		{name: "an answer after a body", answer: ok + "Content-Length: 2\r\n\r\nhi" + ok + "Content-Length: 6\r\n\r\nothers", want: "200 hi"},
		{name: "an answer after chunks", answer: ok + "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n" + ok + "Content-Length: 6\r\n\r\nothers", want: "200 hi"},
		{name: "one length, twice", answer: ok + "Content-Length: 2\r\nContent-Length: 2\r\n\r\nhi", want: "200 hi", kept: true},
		{name: "two lengths", answer: ok + "Content-Length: 2\r\nContent-Length: 3\r\n\r\nhi!"},
		{name: "a negative length", answer: ok + "Content-Length: -2\r\n\r\nhi"},
		{name: "a length with a sign", answer: ok + "Content-Length: +2\r\n\r\nhi"},
		{name: "chunked and a length", answer: ok + "Content-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", want: "200 hi", kept: true},
		{name: "an unknown coding", answer: ok + "Transfer-Encoding: gzip\r\n\r\nhi"},
		{name: "two codings", answer: ok + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"},
		{name: "chunked twice", answer: ok + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
		{name: "lines end in LF", answer: "HTTP/1.1 200 OK\nContent-Length: 2\n\nhi", want: "200 hi", kept: true},
		{name: "a status below 100", answer: "HTTP/1.1 099 Odd\r\nContent-Length: 2\r\n\r\nhi", want: "99 hi"},
		{name: "a status of four digits", answer: "HTTP/1.1 2000 OK\r\n\r\n"},
		{name: "a negative status", answer: "HTTP/1.1 -20 OK\r\n\r\n"},
		{name: "no status", answer: "HTTP/1.1\r\n\r\n"},
		{name: "no HTTP", answer: "SSH-2.0-OpenSSH_9.2\r\n"},
		{name: "a header without a colon", answer: ok + "oops\r\n\r\n"},
		{name: "a space before the colon", shut: true, answer: ok + "Content-Length : 2\r\n\r\nhi", want: "200 hi"}, // another header
		{name: "a folded header", answer: ok + "A: b\r\n c\r\nContent-Length: 2\r\n\r\nhi", want: "200 hi", kept: true},
		{name: "NUL in a header", answer: ok + "A: b\x00c\r\nContent-Length: 2\r\n\r\nhi"},
		{name: "nothing", shut: true, answer: ""},
		{name: "half a header", shut: true, answer: ok + "Content-Le"},
		{name: "a large header", answer: ok + pad(maxHeader-4096) + "Content-Length: 2\r\n\r\nhi", want: "200 hi", kept: true},
		{name: "too large a header", answer: ok + pad(maxHeader) + "Content-Length: 2\r\n\r\nhi"},
		{name: "a body larger than a header may be", answer: ok + "Content-Length: 50000\r\n\r\n" + strings.Repeat("z", 50000), want: "200 " + strings.Repeat("z", 50000), kept: true},
		{name: "early hints", answer: hint + ok + "Content-Length: 2\r\n\r\nhi", want: "103 200 hi", kept: true},
		{name: "100 unasked", answer: "HTTP/1.1 100 Continue\r\n\r\n" + ok + "Content-Length: 2\r\n\r\nhi", want: "100 200 hi", kept: true},
		{name: "five interim answers", answer: strings.Repeat(hint, 5) + ok + "Content-Length: 2\r\n\r\nhi", want: "103 103 103 103 103 200 hi", kept: true},
		{name: "early hints alone", shut: true, answer: hint},
		// Where each is handed on, net/http leaves their number and their size in
		// all to whom they are handed.
		{name: "six interim answers", answer: strings.Repeat(hint, 6) + ok + "Content-Length: 2\r\n\r\nhi", want: "103 103 103 103 103 200 hi", kept: true, ours: true},
		{name: "interim answers without end", answer: strings.Repeat(hint, maxHeader/len(hint)+1), ours: true},
		{name: "too large together", answer: "HTTP/1.1 103 Early Hints\r\n" + pad(maxHeader-4096) + "\r\n" + ok + pad(8192) + "Content-Length: 2\r\n\r\nhi", ours: true},
		// It hands the connection to whoever asked, upgrade or not.
		{name: "101 unasked", answer: "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n" + ok + "Content-Length: 2\r\n\r\nhi", ours: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			method := tc.method
			if method == "" {
				method = "GET"
			}
			script := map[string]action{"/case": func(v *visit) bool {
				v.say(tc.answer)
				return !tc.shut
			}}
			both(t, limits{}, script, func(t *testing.T, rt transport, a *app) {
				if tc.ours && !rt.ours {
					return
				}
				got, err := everything(t, rt, method)
				if (err != nil) != (tc.want == "" || tc.cut) || got != tc.want {
					t.Fatalf("got %.100q, %v\nwant %.100q", got, err, tc.want)
				}
				if !tc.kept {
					a.closed(t, 0)
				}
				a.own(t, rt, "/next")
				if _, conns := a.count(""); (conns == 1) != tc.kept {
					t.Errorf("%d connections", conns)
				}
			})
		})
	}
}

// everything returns all that came: the codes, the body and the trailers.
func everything(t *testing.T, rt transport, method string) (string, error) {
	var b strings.Builder
	trace := &httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
		fmt.Fprintf(&b, "%d ", code)
		return nil
	}}
	o := fetch(rt, request(httptrace.WithClientTrace(t.Context(), trace), method, "/case"))
	if o.noHead != nil {
		return "", o.noHead
	}
	fmt.Fprintf(&b, "%d %s", o.code, o.body)
	for _, name := range []string{"A", "B"} {
		if v := o.trailer.Get(name); v != "" {
			fmt.Fprintf(&b, " %s=%s", name, v)
		}
	}
	return b.String(), o.noBody
}
