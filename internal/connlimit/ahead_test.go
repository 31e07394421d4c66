package connlimit

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Who sends requests ahead of answers pauses, and nobody else does, however fast or large.
func TestAhead(t *testing.T) {
	small := "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
	large := "GET / HTTP/1.1\r\nHost: x\r\n" + strings.Repeat("X: "+strings.Repeat("x", 1000)+"\r\n", 9) + "\r\n"
	post := "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 20000\r\n\r\n" + strings.Repeat("x", 20000)
	for name, tc := range map[string]struct {
		request  string
		together int // in one piece
		known    bool
		late     time.Duration // how long the next ones let us wait
		pause    time.Duration // in the end
	}{
		"one by one":                      {small, 1, false, 0, 0},
		"large ones, one by one":          {large, 1, false, 0, pause}, // as it is large
		"bodies, one by one":              {post, 1, false, time.Millisecond, 0},
		"two by two":                      {small, 2, false, 0, pauseAhead},
		"many":                            {small, 500, false, 0, pauseAhead},
		"many large ones":                 {large, 20, false, 0, pauseAhead + pause},
		"many bodies":                     {post, 20, false, 0, pauseAhead},
		"many of somebody who was let in": {small, 500, true, 0, yieldAhead},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := New(64, func(Cause, netip.Addr) {})
				served := make(chan time.Time, 1000)
				near, far := net.Pipe()
				server := &http.Server{
					ConnContext: l.Context, ConnState: l.State,
					Handler: l.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
						l.Placed(r.Context(), 1, tc.known)
						served <- time.Now()
					})),
				}
				one := &single{make(chan net.Conn, 1)}
				one.conns <- near
				go server.Serve(l.Listener(one, nil, nil))
				defer server.Close()
				answers := bufio.NewReader(far)
				last, took := time.Now(), time.Duration(0)
				for range 2*someAhead + 1 {
					time.Sleep(tc.late)
					last = last.Add(tc.late)
					go fmt.Fprint(far, strings.Repeat(tc.request, tc.together))
					for range tc.together {
						resp, err := http.ReadResponse(answers, nil)
						if err != nil {
							t.Fatal(err)
						}
						resp.Body.Close()
						at := <-served
						took, last = at.Sub(last), at
					}
				}
				if took != tc.pause {
					t.Errorf("paused for %v, want %v", took, tc.pause)
				}
			})
		})
	}
}

// A single is a listener of the connections that it is given.
type single struct{ conns chan net.Conn }

func (s *single) Accept() (net.Conn, error) {
	if c, ok := <-s.conns; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}

func (s *single) Close() error {
	close(s.conns)
	return nil
}

func (s *single) Addr() net.Addr { return &net.TCPAddr{} }
