package main

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

func ok(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "0") }

func requests(tokens ...string) (all [][]byte) {
	for _, t := range tokens {
		all = append(all, request("/p", t))
	}
	return all
}

// A stall is seen by all requests that were due in it, and not only by those that
// were under way.
func TestStall(t *testing.T) {
	t.Parallel()
	const stall = 300 * time.Millisecond
	var n atomic.Int64
	var gate sync.RWMutex
	to := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1) == 100 {
			gate.Lock()
			time.Sleep(stall)
			gate.Unlock()
		}
		gate.RLock()
		defer gate.RUnlock()
		ok(w, r)
	})
	r, err := run(options{to: to, requests: requests("t"), rate: 500, conns: 4, duration: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if r.Requests != 500 || r.Errors > 0 {
		t.Errorf("%d requests and %d errors, want 500 and none", r.Requests, r.Errors)
	}
	// 150 of the 500 were due in the stall, and a third of those in its first third.
	if least := us(2 * stall / 3); r.P99 < least {
		t.Errorf("p99 is %d us, want at least %d: %+v", r.P99, least, r)
	}
}

func us(d time.Duration) int64 { return d.Microseconds() }

func TestTokensInTurn(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	seen := map[string]int{}
	to := serve(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		seen[r.Header.Get("Authorization")]++
		if r.URL.Path != "/p" {
			t.Errorf("path %s", r.URL.Path)
		}
		ok(w, r)
	})
	r, err := run(options{to: to, requests: requests("a", "b", ""), conns: 2, duration: 500 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if r.Requests < 30 || r.Errors > 0 {
		t.Errorf("%d requests and %d errors, want some, and none", r.Requests, r.Errors)
	}
	for _, a := range []string{"Bearer a", "Bearer b", ""} {
		if n := seen[a]; n < r.Requests/3 || n > r.Requests/3+1 {
			t.Errorf("%q: %d of %d requests", a, n, r.Requests)
		}
	}
}

// Whatever is no good answer is an error, once, and the next request is none.
func TestErrors(t *testing.T) {
	t.Parallel()
	for name, bad := range map[string]http.HandlerFunc{
		"refused": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "0")
			w.WriteHeader(http.StatusUnauthorized)
		},
		"cut": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"cut within the body": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "10")
			_, _ = w.Write([]byte("short"))
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		},
		"without a length": func(w http.ResponseWriter, _ *http.Request) {
			_ = http.NewResponseController(w).Flush()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var n atomic.Int64
			to := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if n.Add(1)%10 == 0 {
					bad(w, r)
					return
				}
				ok(w, r)
			})
			r, err := run(options{to: to, requests: requests("t"), rate: 100, conns: 1, duration: time.Second})
			if err != nil {
				t.Fatal(err)
			}
			if r.Requests != 100 || r.Errors != 10 {
				t.Errorf("%d requests and %d errors, want 100 and 10", r.Requests, r.Errors)
			}
		})
	}
}

func TestLargeAnswer(t *testing.T) {
	t.Parallel()
	body := make([]byte, 1<<20)
	var n atomic.Int64
	to := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1048576")
		k, _ := w.Write(body)
		n.Add(int64(k))
	})
	r, err := run(options{to: to, requests: requests("t"), rate: 50, conns: 2, duration: 200 * time.Millisecond})
	if err != nil || r.Requests != 10 || r.Errors > 0 {
		t.Fatalf("%+v %v", r, err)
	}
	// The last handler may still be about to count.
	for wait := time.Now(); n.Load() != 10<<20; time.Sleep(time.Millisecond) {
		if time.Since(wait) > 5*time.Second {
			t.Fatalf("%d bytes were served, want %d", n.Load(), 10<<20)
		}
	}
}

func TestNobodyThere(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if _, err := run(options{to: l.Addr().String(), requests: requests("t"), conns: 1, duration: time.Second}); err == nil {
		t.Error("no error")
	}
}
