package loopback

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// deadline is for what must happen, however busy the machine.
const deadline = 20 * time.Second

// A transport is one of the two that have to behave alike.
type transport struct {
	http.RoundTripper
	ours bool
}

func (t transport) closeIdle() {
	t.RoundTripper.(interface{ CloseIdleConnections() }).CloseIdleConnections()
}

type limits struct {
	answer, idle time.Duration
	maxIdle      int
}

const maxHeader = 16 << 10

// both runs f with net/http's transport and with ours, each with an app of its own.
func both(t *testing.T, l limits, script map[string]action, f func(*testing.T, transport, *app)) {
	t.Helper()
	l.idle = cmp.Or(l.idle, time.Hour)
	l.maxIdle = cmp.Or(l.maxIdle, 4)
	for _, name := range []string{"stock", "ours"} {
		t.Run(name, func(t *testing.T) {
			a := newApp(t, script)
			rt := transport{stock(a, l), false}
			if name == "ours" {
				rt = transport{ours(t, a, l), true}
			}
			t.Cleanup(rt.closeIdle)
			f(t, rt, a)
		})
	}
}

func stock(a *app, l limits) *http.Transport {
	return &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return a.dial(ctx) }, DisableCompression: true,
		MaxIdleConnsPerHost: l.maxIdle, IdleConnTimeout: l.idle, ResponseHeaderTimeout: l.answer, MaxResponseHeaderBytes: maxHeader,
	}
}

func ours(t testing.TB, a *app, l limits) *Transport {
	tr, err := New(Options{Dial: a.dial, MaxIdle: l.maxIdle, IdleTimeout: l.idle, AnswerTimeout: l.answer, MaxHeader: maxHeader})
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// An action is what the app does about a request. Not keep: it closes the
// connection.
type action func(v *visit) (keep bool)

// A visit is one connection at the app, with the request that has just come.
type visit struct {
	net.Conn
	app   *app
	conn  int // which connection
	count int // which request on it
	r     *http.Request
}

func (v *visit) say(s string) { io.WriteString(v.Conn, s) }

// An app answers with bytes. A path that the script has not is answered with its
// number of the connection, and the path.
type app struct {
	dial func(context.Context) (net.Conn, error)

	mu     sync.Mutex
	open   map[int]bool
	conns  int
	counts map[string]int // requests by path
	change chan struct{}  // closed at the next change
}

func newApp(t testing.TB, script map[string]action) *app {
	return newAppAt(t, "tcp", "127.0.0.1:0", script)
}

func newAppAt(t testing.TB, network, addr string, script map[string]action) *app {
	l, err := net.Listen(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	a := &app{open: map[int]bool{}, counts: map[string]int{}, change: make(chan struct{})}
	var wg sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	a.dial = func(ctx context.Context) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, l.Addr().String())
	}
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			n := a.opened()
			context.AfterFunc(ctx, func() { c.Close() })
			wg.Go(func() {
				defer a.note(func() { delete(a.open, n) })
				defer c.Close()
				a.serve(&visit{Conn: c, app: a, conn: n}, script)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		cancel()
		wg.Wait()
	})
	return a
}

func (a *app) serve(v *visit, script map[string]action) {
	br := bufio.NewReader(v.Conn)
	for {
		var err error
		if v.r, err = http.ReadRequest(br); err != nil {
			return
		}
		v.count++
		a.note(func() { a.counts[v.r.URL.Path]++ })
		do := script[v.r.URL.Path]
		if do == nil {
			do = own
		}
		if !do(v) {
			return
		}
	}
}

// own is an answer that nobody else may get.
func own(v *visit) bool {
	answer := ownAnswer(v.r.URL.Path)
	if v.r.Method == http.MethodHead {
		answer = strings.TrimSuffix(answer, ownBody(v.r.URL.Path))
	}
	v.say(answer)
	return true
}

func ownAnswer(path string) string {
	return "HTTP/1.1 200 OK\r\nContent-Length: 64\r\n\r\n" + ownBody(path)
}

func ownBody(path string) string { return path + strings.Repeat(".", 64-len(path)) }

func (a *app) opened() (n int) {
	a.note(func() {
		n = a.conns
		a.conns++
		a.open[n] = true
	})
	return n
}

func (a *app) note(f func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	f()
	close(a.change)
	a.change = make(chan struct{})
}

// until waits until so says yes.
func (a *app) until(t testing.TB, what string, so func() bool) {
	t.Helper()
	late := time.After(deadline)
	for {
		a.mu.Lock()
		ok, change := so(), a.change
		a.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-change:
		case <-late:
			t.Fatalf("never: %s", what)
		}
	}
}

// closed waits until the caller's side of a connection has been closed.
func (a *app) closed(t testing.TB, conn int) {
	t.Helper()
	a.until(t, "the connection is closed", func() bool { return a.conns > conn && !a.open[conn] })
}

// count returns how many requests for path there were, and how many connections.
func (a *app) count(path string) (requests, conns int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.counts[path], a.conns
}

func request(ctx context.Context, method, path string, headers ...string) *http.Request {
	r, err := http.NewRequestWithContext(ctx, method, "http://app.example"+path, nil)
	if err != nil {
		panic(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header[headers[i]] = append(r.Header[headers[i]], headers[i+1])
	}
	return r
}

// An outcome is what a caller sees.
type outcome struct {
	code            int
	header, trailer http.Header
	body            string
	noHead, noBody  error // why there is none, or why it is not whole
}

func fetch(rt http.RoundTripper, r *http.Request) outcome {
	ctx, cancel := context.WithTimeout(r.Context(), deadline)
	defer cancel()
	res, err := rt.RoundTrip(r.WithContext(ctx))
	if err != nil {
		return outcome{noHead: err}
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return outcome{res.StatusCode, res.Header, res.Trailer, string(b), nil, err}
}

func (o outcome) err() error { return errors.Join(o.noHead, o.noBody) }

// own fails unless the answer to path is its own.
func (a *app) own(t testing.TB, rt http.RoundTripper, path string) {
	t.Helper()
	if o := fetch(rt, request(t.Context(), "GET", path)); o.err() != nil || o.body != ownBody(path) {
		t.Errorf("%s: %d %q, %v", path, o.code, o.body, o.err())
	}
}
