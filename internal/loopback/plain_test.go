package loopback

import (
	"bufio"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"
)

// What is usual is plain, and read as net/http reads it; all else is left to that.
func TestPlain(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\n"
	for _, tc := range []struct {
		answer string
		plain  bool
	}{
		{ok + "Content-Length: 2\r\n\r\nhi", true},
		{ok + "Content-Length: 0\r\n\r\n", true},
		{ok + "Content-Length: 2\r\n\r\nhimore", true},
		{ok + "Server: nginx/1.22.1\r\nDate: Tue, 24 Nov 2026 23:10:00 GMT\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: 2\r\nEtag: \"a:b\"\r\n\r\nhi", true},
		{ok + "content-type: a\r\ncontent-length:2\r\nx-a:\t b\t \r\nX-Empty:\r\nset-cookie: a=b\r\nSet-Cookie: c=d\r\nx!b: c\r\n\r\nhi", true},
		{ok + "Connection: Keep-Alive\r\nKeep-Alive: timeout=5\r\nContent-Length: 2\r\n\r\nhi", true},
		{"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nhi", true},
		{"HTTP/1.1 599 \r\nContent-Length: 2\r\n\r\nhi", true},

		{"", false},
		{ok + "Content-Length: 2\r\n", false},
		{ok + "Content-Length: 2\r\n\r", false},
		{ok + "\r\nhi", false},
		{ok + "Content-Length: 2\r\nContent-Length: 2\r\n\r\nhi", false},
		{ok + "Content-Length: 2\r\ncontent-length: 3\r\n\r\nhi", false},
		{ok + "Content-Length: 02\r\n\r\nhi", false},
		{ok + "Content-Length: +2\r\n\r\nhi", false},
		{ok + "Content-Length: 2, 2\r\n\r\nhi", false},
		{ok + "Content-Length: 0x2\r\n\r\nhi", false},
		{ok + "Content-Length: \r\n\r\nhi", false},
		{ok + "Content-Length: 1000000000000000\r\n\r\nhi", false},
		{ok + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", false},
		{ok + "Content-Length: 2\r\ntransfer-encoding: identity\r\n\r\nhi", false},
		{ok + "Content-Length: 2\r\nTrailer: A\r\n\r\nhi", false},
		{ok + "Content-Length: 2\r\nConnection: close\r\n\r\nhi", false},
		{ok + "Content-Length: 2\r\nConnection: keep-alive, close\r\n\r\nhi", false},
		{ok + "Content-Length: 2\r\nConnection: keep-alive\r\nConnection: close\r\n\r\nhi", false},
		{ok + "Content-Length: 2\r\nPragma: no-cache\r\n\r\nhi", false},
		{ok + "Content-Length : 2\r\n\r\nhi", false},
		{ok + "Content-Length: 2\r\nA: b\r\n c\r\n\r\nhi", false},
		{ok + "Content-Length: 2\r\nA: b\n\r\n\r\nhi", false},
		{ok + "Content-Length: 2\r\nA: b\rc\r\n\r\nhi", false},
		{ok + "Content-Length: 2\r\nA: \xc3\xa9\r\n\r\nhi", false},
		{ok + "Content-Length: 2\r\nA: \x00\r\n\r\nhi", false},
		{ok + "Content-Length: 2\r\nA\r\n\r\nhi", false},
		{ok + "Content-Length: 2\r\n: b\r\n\r\nhi", false},
		{ok + "Content-Length: 2\r\nA b: c\r\n\r\nhi", false},
		{ok + "Content-Length: 2\n\nhi\r\n\r\n", false},
		{" " + ok + "Content-Length: 2\r\n\r\nhi", false},
		{"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nhi", false},
		{"HTTP/1.1  200 OK\r\nContent-Length: 2\r\n\r\nhi", false},
		{"HTTP/1.1 2 0 OK\r\nContent-Length: 2\r\n\r\nhi", false},
		{"HTTP/1.1 20x OK\r\nContent-Length: 2\r\n\r\nhi", false},
		{"HTTP/1.1 200 O\tK\r\nContent-Length: 2\r\n\r\nhi", false},
		{"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", false},
		{"HTTP/1.1 103 Early Hints\r\nContent-Length: 0\r\n\r\n", false},
		{"HTTP/1.1 101 Switching Protocols\r\nContent-Length: 0\r\n\r\n", false},
		{"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n", false},
		{"HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n", false},
		{"HTTP/1.1 600 Odd\r\nContent-Length: 2\r\n\r\nhi", false},
	} {
		r := &http.Request{Method: "GET"}
		br := bufio.NewReader(strings.NewReader(tc.answer))
		got, ok := readPlain(br, r)
		if ok != tc.plain {
			t.Errorf("%q: %v", tc.answer, ok)
			continue
		}
		if !ok {
			if rest, _ := io.ReadAll(br); string(rest) != tc.answer {
				t.Errorf("%q: %q is left", tc.answer, rest)
			}
			continue
		}
		alike(t, tc.answer, got, br)
	}
	if _, ok := readPlain(bufio.NewReader(strings.NewReader(ok+"Content-Length: 2\r\n\r\n")), &http.Request{Method: "HEAD"}); ok {
		t.Error("an answer to HEAD has no body")
	}
}

// alike fails unless what was read of an answer, and is left of it, is what it is to
// net/http.
func alike(t *testing.T, answer string, got *http.Response, left *bufio.Reader) {
	t.Helper()
	theirs := bufio.NewReader(strings.NewReader(answer))
	want, err := http.ReadResponse(theirs, got.Request)
	if err != nil {
		t.Fatalf("%q is %+v, want %v", answer, got, err)
	}
	gotBody, gotErr := io.ReadAll(got.Body)
	wantBody, wantErr := io.ReadAll(want.Body)
	gotRest, _ := io.ReadAll(left)
	wantRest, _ := io.ReadAll(theirs)
	got.Body, want.Body = nil, nil
	if !reflect.DeepEqual(got, want) || string(gotBody) != string(wantBody) || gotErr != wantErr || string(gotRest) != string(wantRest) {
		t.Errorf("%q is\n     %+v %q %v %q\nwant %+v %q %v %q", answer, got, gotBody, gotErr, gotRest, want, wantBody, wantErr, wantRest)
	}
}

// FuzzPlain: what readPlain takes for plain is to net/http what it is to us.
func FuzzPlain(f *testing.F) {
	for _, line := range []string{"A: b", "content-length: 3", "Content-Length: 02", "Connection: keep-alive", "a b: c", "Transfer-Encoding: chunked", ": x", " folded"} {
		f.Add("GET", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"+line+"\r\n\r\nhi there")
		f.Add("HEAD", "HTTP/1.1 404 Not Found\r\n"+line+"\r\nContent-Length: 9\r\n\r\nhi")
	}
	f.Fuzz(func(t *testing.T, method, answer string) {
		br := bufio.NewReader(strings.NewReader(answer))
		if got, ok := readPlain(br, &http.Request{Method: method}); ok {
			alike(t, answer, got, br)
		}
	})
}

func BenchmarkReadHead(b *testing.B) {
	const answer = "HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Tue, 24 Nov 2026 23:10:00 GMT\r\nContent-Type: text/plain\r\nContent-Length: 19\r\nConnection: keep-alive\r\n\r\n"
	for name, answer := range map[string]string{"plain": answer, "other": strings.Replace(answer, "keep-alive", "x", 1)} {
		b.Run(name, func(b *testing.B) {
			r, from := &http.Request{Method: "GET"}, strings.NewReader(answer)
			c := &conn{br: bufio.NewReader(from)}
			b.ReportAllocs()
			for b.Loop() {
				from.Reset(answer)
				c.br.Reset(from)
				if _, err := c.readHead(r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
