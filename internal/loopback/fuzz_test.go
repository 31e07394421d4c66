package loopback

import (
	"bytes"
	"net/http"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// FuzzUpstream has the app answer with any bytes. What comes of them is what net/http
// makes of them, and the next request gets its own answer.
func FuzzUpstream(f *testing.F) {
	const ok = "HTTP/1.1 200 OK\r\n"
	for _, s := range []string{
		"", ok, ok + "\r\n", ok + "Content-Length: 2\r\n\r\nhi", ok + "Content-Length: 2\r\n\r\nhi" + ok + "Content-Length: 6\r\n\r\nothers",
		ok + "Transfer-Encoding: chunked\r\n\r\n2;a=b\r\nhi\r\n0\r\nA: b\r\n\r\n", ok + "Trailer: A\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n\r\nmore",
		"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + ok + "Content-Length: 2\r\n\r\nhi", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\na",
		"HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", ok + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		ok + "Pragma: no-cache\r\nContent-Length: 2, 2\r\n\r\nhi", "HTTP/1.1 099 \nA:b\n\n",
	} {
		f.Add(uint8(0), []byte(s))
		f.Add(uint8(1), []byte(s))
		f.Add(uint8(2), []byte(s))
	}
	f.Fuzz(func(t *testing.T, kind uint8, answer []byte) {
		if len(answer) > 32<<10 {
			return // what one write brings over in one piece
		}
		method := []string{"GET", "HEAD", "POST"}[kind%3]
		said := make(chan bool, 4)
		saying := func(keep bool) action {
			return func(v *visit) bool {
				v.say(string(answer))
				said <- true
				return keep
			}
		}
		// A socket in the file system: a machine has not enough ports for so many
		// connections.
		a := newAppAt(t, "unix", filepath.Join(t.TempDir(), "app"), map[string]action{"/closed": saying(false), "/kept": saying(true)})
		mine, theirs := ours(t, a, limits{maxIdle: 1, idle: deadline}), stock(a, limits{maxIdle: 1, idle: deadline})
		defer mine.CloseIdleConnections()
		defer theirs.CloseIdleConnections()
		got := fetch(mine, request(t.Context(), method, "/closed"))
		want := fetch(theirs, request(t.Context(), method, "/closed"))
		if stricter(answer) {
			return
		}
		if !got.is(want) {
			t.Fatalf("%s got  %d %v %q %v, %v\nwant %d %v %q %v, %v", method, got.code, got.header, got.body, got.trailer, got.err(),
				want.code, want.header, want.body, want.trailer, want.err())
		}
		a.own(t, mine, "/after")
		if got.err() != nil || endsWithConnection(t, method, answer) {
			return
		}
		<-said
		<-said
		if again := fetch(mine, request(t.Context(), method, "/kept")); !again.is(got) {
			t.Fatalf("kept: %+v, closed: %+v", again, got)
		}
		<-said
		a.own(t, mine, "/next")
	})
}

func (o outcome) is(p outcome) bool {
	return o.code == p.code && o.body == p.body && (o.noHead == nil) == (p.noHead == nil) && (o.noBody == nil) == (p.noBody == nil) &&
		reflect.DeepEqual(o.header, p.header) && reflect.DeepEqual(o.trailer, p.trailer)
}

// stricter reports whether we may refuse what net/http lets pass: there may be
// many interim answers, or 101.
func stricter(answer []byte) bool {
	for line := range bytes.Lines(answer) {
		if _, status, _ := strings.Cut(string(line), " "); strings.HasPrefix(strings.TrimLeft(status, " "), "101") {
			return true
		}
	}
	return bytes.Count(answer, []byte(" 1")) > maxInterim
}

// endsWithConnection reports whether the answer's body ends where the connection
// does, so that an app that keeps it would never end it.
func endsWithConnection(t *testing.T, method string, answer []byte) bool {
	said := make(chan bool, 1)
	a := newAppAt(t, "unix", filepath.Join(t.TempDir(), "app"), map[string]action{"/": func(v *visit) bool { v.say(string(answer)); said <- true; return false }})
	tr := stock(a, limits{maxIdle: 1, idle: deadline})
	defer tr.CloseIdleConnections()
	res, err := tr.RoundTrip(request(t.Context(), method, "/"))
	if err != nil {
		return true
	}
	defer res.Body.Close()
	return method != http.MethodHead && res.ContentLength < 0 && len(res.TransferEncoding) == 0
}
