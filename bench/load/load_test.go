package load

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// serve returns the address of a server on loopback.
func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

// until returns a context that ends when done is called, and in any case some
// time before the test would be ended.
func until(t *testing.T) (ctx context.Context, done func()) {
	t.Helper()
	return context.WithTimeout(t.Context(), 30*time.Second)
}

func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func always(token string) func() func() []byte {
	return func() func() []byte { return func() []byte { return []byte(token) } }
}

func TestFlood(t *testing.T) {
	t.Parallel()
	var n atomic.Int64
	ctx, done := until(t)
	to := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if host, _, _ := net.SplitHostPort(r.RemoteAddr); host != "127.0.0.2" {
			t.Errorf("a request from %s", host)
		}
		switch i := n.Add(1); {
		case i == 200:
			done()
		case i%10 == 0:
			w.Header().Set("Connection", "close")
		}
		w.WriteHeader(http.StatusUnauthorized)
		io.WriteString(w, "no\n")
	})
	f := Flood{From: "127.0.0.2", To: to, Conns: 4, Path: "/", Tokens: always("t")}
	tally := f.Run(ctx)
	if tally[401] < 190 || len(tally) != 1 {
		t.Errorf("answers %v, want some 200 times 401 and nothing else", tally)
	}
	if got := n.Load() - int64(tally[401]); got < 0 || got > 4 {
		t.Errorf("%d requests served, %d counted", n.Load(), tally[401])
	}
}

// The same requests over TLS, in both versions.
func TestFloodWithTLS(t *testing.T) {
	t.Parallel()
	for _, streams := range []int{0, 10} {
		var n atomic.Int64
		ctx, done := until(t)
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.TLS == nil || (r.ProtoMajor == 2) != (streams > 0) {
				t.Errorf("%s, TLS %v", r.Proto, r.TLS != nil)
			}
			if n.Add(1) == 100 {
				done()
			}
			w.WriteHeader(http.StatusUnauthorized)
		}))
		s.EnableHTTP2 = true
		s.StartTLS()
		t.Cleanup(s.Close)
		f := Flood{
			From: "127.0.0.2", To: s.Listener.Addr().String(), TLS: &tls.Config{InsecureSkipVerify: true},
			Conns: 2, Streams: streams, Path: "/", Tokens: always("t"),
		}
		if tally := f.Run(ctx); tally[401] < 50 || len(tally) != 1 {
			t.Errorf("%d streams: answers %v, want some 100 times 401 and nothing else", streams, tally)
		}
	}
}

// What the end of the flood cuts is no request without an answer, be it only about
// to connect.
func TestEndWhileConnecting(t *testing.T) {
	t.Parallel()
	for _, streams := range []int{0, 10} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		ctx, done := until(t)
		go func() {
			if c, err := l.Accept(); err == nil {
				defer c.Close()
				done()
				io.Copy(io.Discard, c)
			}
		}()
		f := Flood{
			From: "127.0.0.1", To: l.Addr().String(), TLS: &tls.Config{InsecureSkipVerify: true},
			Conns: 1, Streams: streams, Path: "/", Tokens: always("t"),
		}
		if tally := f.Run(ctx); len(tally) > 0 {
			t.Errorf("%d streams: answers %v, want none", streams, tally)
		}
	}
}

func TestPace(t *testing.T) {
	t.Parallel()
	var n atomic.Int64
	ctx, done := until(t)
	to := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		if n.Add(1) == 200 {
			done()
		}
		io.WriteString(w, "ok\n")
	})
	f := Flood{From: "127.0.0.1", To: to, Conns: 4, Path: "/", Tokens: always(""), Rate: 200}
	begun := time.Now()
	f.Run(ctx)
	// Early there is none. How late they are is the machine's affair.
	if took := time.Since(begun); took < 950*time.Millisecond || took > 10*time.Second {
		t.Errorf("200 requests at 200 a second took %v", took)
	}
}

func TestStreams(t *testing.T) {
	t.Parallel()
	var n, busy, most atomic.Int64
	ctx, done := until(t)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for now := busy.Add(1); now > most.Load(); {
			most.Store(now)
		}
		defer busy.Add(-1)
		if r.ProtoMajor != 2 || r.URL.Path != "/p" || r.Header.Get("Authorization") != "Bearer t" {
			t.Errorf("%s %s %q", r.Proto, r.URL, r.Header)
		}
		switch i := n.Add(1); {
		case i == 600:
			done()
		case i%100 == 0:
			w.Header().Set("Connection", "close") // which is GOAWAY
		}
		// Until all that may be under way at a time have been, or nobody comes.
		for wait := time.Now(); most.Load() < 40 && time.Since(wait) < time.Second; time.Sleep(time.Millisecond) {
		}
		w.WriteHeader(http.StatusUnauthorized)
		io.WriteString(w, "no\n")
	}))
	s.Config.Protocols = new(http.Protocols)
	s.Config.Protocols.SetUnencryptedHTTP2(true)
	s.Start()
	t.Cleanup(s.Close)
	f := Flood{From: "127.0.0.1", To: strings.TrimPrefix(s.URL, "http://"), Conns: 2, Streams: 20, Path: "/p", Tokens: always("t")}
	tally := f.Run(ctx)
	if tally[401] < 500 || len(tally) != 1 {
		t.Errorf("answers %v, want some 600 times 401 and nothing else", tally)
	}
	// Connections that are on their way out count too.
	if most.Load() < 40 || most.Load() > 80 {
		t.Errorf("%d requests at a time, want 40", most.Load())
	}
}

// A request that is too large is answered before it was read, and the
// connection ends.
func TestTooLarge(t *testing.T) {
	t.Parallel()
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	ctx, done := until(t)
	var n atomic.Int64
	s.Config.MaxHeaderBytes = 64 << 10
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateClosed && n.Add(1) == 5 { // half a second after its answer
			done()
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	f := Flood{From: "127.0.0.1", To: strings.TrimPrefix(s.URL, "http://"), Conns: 2, Path: "/", Tokens: always(strings.Repeat(".", 1_000_000))}
	if tally := f.Run(ctx); tally[431] == 0 {
		t.Errorf("answers %v, want 431", tally)
	}
}

func TestNobodyThere(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	f := Flood{From: "127.0.0.1", To: l.Addr().String(), Conns: 1, Path: "/", Tokens: always("")}
	if tally := f.Run(within(t, 50*redial)); tally[Cut] == 0 || tally[Cut] > 50 || len(tally) > 1 {
		t.Errorf("answers %v, want a few that failed", tally)
	}
}

func TestCallersChangeTokens(t *testing.T) {
	t.Parallel()
	var a, b, others atomic.Int64
	to := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.Header.Get("Authorization") {
		case "Bearer a":
			a.Add(1)
		case "Bearer b":
			b.Add(1)
			w.WriteHeader(http.StatusServiceUnavailable)
		default:
			others.Add(1)
		}
	})
	d := 2 * time.Second // in each half of which some are sent, however busy the machine
	r := Call(within(t, d), []Caller{{From: "127.0.0.1", To: to, Path: "/", Rate: 100, Tokens: []string{"a", "b"}, For: d}})
	if a.Load() == 0 || b.Load() == 0 || others.Load() > 0 {
		t.Errorf("%d with one token, %d with the other, %d with none", a.Load(), b.Load(), others.Load())
	}
	if r.Sent < 10 || r.Errors == 0 || r.Errors > int(b.Load()) || r.First != "status 503" {
		t.Errorf("%d sent, %d errors, the first %v; %d were told 503", r.Sent, r.Errors, r.First, b.Load())
	}
}

// Who has to wait for an answer is late with what comes after, and that counts.
func TestWaitingCounts(t *testing.T) {
	t.Parallel()
	var n atomic.Int64
	const d = 2 * time.Second
	to := serve(t, func(http.ResponseWriter, *http.Request) {
		if n.Add(1) == 1 {
			time.Sleep(d / 2)
		}
	})
	r := Call(within(t, d), []Caller{{From: "127.0.0.1", To: to, Path: "/", Rate: 100, Tokens: []string{"a"}, For: d}})
	// Half of the 200 requests were due while the first one waited, and half of
	// those for a quarter of the time and more.
	if got := r.Quantile(0.8); got < d/12 {
		t.Errorf("a fifth took more than %v, after a stall of half of %v", got, d)
	}
}

func TestEnter(t *testing.T) {
	t.Parallel()
	var n atomic.Int64
	to := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		if n.Add(1) < 3 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	took, err := Enter(within(t, 5*time.Second), "127.0.0.1", to, "/", "t")
	if err != nil || took < 2*again || n.Load() != 3 {
		t.Errorf("%v, %v, after %d requests", took, err, n.Load())
	}
}
