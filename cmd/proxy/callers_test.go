package main

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"
	"time"

	"go.uber.org/zap"
)

// Who shows no token and never ends its body gets its answer, and then loses its
// connection: else a few bytes would hold a goroutine for as long as it likes.
func TestUnfinishedBodyWithoutToken(t *testing.T) {
	t.Parallel()
	w := start(t)
	for _, framing := range []string{"Content-Length: 10", "Transfer-Encoding: chunked"} {
		t.Run(framing, func(t *testing.T) {
			t.Parallel()
			c, err := net.Dial("tcp", w.gate.data.addr())
			must(t, err)
			defer c.Close()
			must(t, c.SetDeadline(time.Now().Add(8*time.Second)))
			fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n", framing)
			r := bufio.NewReader(c)
			resp, err := http.ReadResponse(r, nil)
			if err != nil {
				t.Fatalf("no answer: %v", err)
			}
			if resp.StatusCode != 401 {
				t.Errorf("%d, want 401", resp.StatusCode)
			}
			for err == nil {
				_, err = r.ReadByte()
			}
			if n, ok := err.(net.Error); ok && n.Timeout() {
				t.Error("the connection is still open")
			}
		})
	}
}

// An app's early hints must not undo that a draining gate ends connections.
func TestDrainingAfterEarlyHints(t *testing.T) {
	t.Parallel()
	app := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "</a.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		fmt.Fprintln(w, "hello")
	})
	d := newDraining(0, func() {}, zap.NewNop())
	must(t, d.wait(t.Context()))
	back := httptest.NewServer(app)
	defer back.Close()
	to, err := url.Parse(back.URL)
	must(t, err)
	front := httptest.NewServer(d.handler(httputil.NewSingleHostReverseProxy(to)))
	defer front.Close()
	resp, err := http.Get(front.URL)
	must(t, err)
	resp.Body.Close()
	if !resp.Close {
		t.Error("the connection stays open")
	}
}
