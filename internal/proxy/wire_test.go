package proxy

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// A wire is a real server, a gate and an app, with pipes in place of sockets: a
// caller's bytes go in at one end, and the app's come out at the other, ten
// thousand times a second.
type wire struct {
	transport *Transport
	accept    chan net.Conn

	mu   sync.Mutex
	gate http.Handler
	got  []string // the heads of the requests that the app got, since the last ask
}

func newWire(tb testing.TB) *wire {
	u, _ := url.Parse("http://app.example")
	t, err := NewTransport(UpstreamOptions{URL: u})
	if err != nil {
		tb.Fatal(err)
	}
	w := &wire{transport: t, accept: make(chan net.Conn)}
	dial := func(context.Context) (net.Conn, error) {
		gate, app := net.Pipe()
		go w.app(app)
		return gate, nil
	}
	t.plain.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) }
	if err := t.lighten(UpstreamOptions{}, dial); err != nil {
		tb.Fatal(err)
	}
	server := &http.Server{Handler: w, DisableGeneralOptionsHandler: true}
	done := make(chan struct{})
	go func() { defer close(done); server.Serve(w) }()
	tb.Cleanup(func() {
		server.Close()
		<-done
		t.CloseIdleConnections()
	})
	return w
}

// use puts another gate in the middle.
func (w *wire) use(o Options) error {
	if o.Transport == nil {
		o.Transport = w.transport
	}
	o.Target = w.transport.Target()
	gate, err := New(o)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.gate = gate
	return err
}

// ask sends one request's bytes, and returns the status of the answer and what
// the app got.
func (w *wire) ask(tb testing.TB, request string) (code int, got []string) {
	tb.Helper()
	caller, gate := net.Pipe()
	defer caller.Close()
	caller.SetDeadline(time.Now().Add(10 * time.Second)) // a bug, not a hang
	w.accept <- gate
	go io.WriteString(caller, request) // it may be answered before it is read
	res, err := http.ReadResponse(bufio.NewReader(caller), nil)
	if err != nil {
		tb.Fatalf("%q: %v", request, err)
	}
	return res.StatusCode, w.taken()
}

// taken returns what the app got, once.
func (w *wire) taken() (got []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	got, w.got = w.got, nil
	return got
}

// app takes requests without a body, and knows nothing of HTTP but where a head
// ends. What follows a head before it is answered counts as another.
func (w *wire) app(conn net.Conn) {
	defer conn.Close()
	for r := bufio.NewReader(conn); ; {
		var head strings.Builder
		for !strings.HasSuffix(head.String(), "\r\n\r\n") {
			c, err := r.ReadByte()
			if err != nil {
				return
			}
			head.WriteByte(c)
		}
		w.mu.Lock()
		w.got = append(w.got, head.String())
		if more, _ := r.Peek(r.Buffered()); len(more) > 0 {
			w.got = append(w.got, string(more))
		}
		w.mu.Unlock()
		if _, err := io.WriteString(conn, "HTTP/1.1 204 No Content\r\n\r\n"); err != nil {
			return
		}
	}
}

// ServeHTTP implements http.Handler.
func (w *wire) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	gate := w.gate
	w.mu.Unlock()
	gate.ServeHTTP(rw, r)
}

// Accept implements net.Listener.
func (w *wire) Accept() (net.Conn, error) {
	conn, ok := <-w.accept
	if !ok {
		return nil, net.ErrClosed
	}
	return conn, nil
}

// Close implements net.Listener.
func (w *wire) Close() error { close(w.accept); return nil }

// Addr implements net.Listener.
func (w *wire) Addr() net.Addr { return &net.UnixAddr{} }
