package minicluster

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"syscall"
)

// RoundTripper returns a transport to the API server that has no sockets, for
// synctest bubbles. The host of the URL does not matter. As with any transport,
// a call ends when its context does or when its body is closed, and no
// goroutine outlives it.
func (c *Cluster) RoundTripper() http.RoundTripper { return memory{c} }

type memory struct{ handler http.Handler }

// RoundTrip implements [http.RoundTripper].
func (m memory) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(r.Context())
	in, err := incoming(ctx, r)
	if err != nil {
		cancel()
		return nil, err
	}
	e := newExchange(cancel)
	go e.run(m.handler, in)
	select {
	case <-e.begun:
	case <-ctx.Done():
	}
	// The end of the context aborts the handler too, so it is looked at first.
	if ctx.Err() != nil {
		e.Close()
		return nil, context.Cause(ctx)
	}
	if e.err != nil {
		e.Close()
		return nil, e.err
	}
	// From here on only the body is left to end when the context does.
	context.AfterFunc(ctx, func() { e.writer.CloseWithError(ctx.Err()) })
	return e.response(r), nil
}

// incoming is the request as a server sees it. It reads the body to its end and
// closes it, as a transport has to.
func incoming(ctx context.Context, r *http.Request) (*http.Request, error) {
	var body []byte
	if r.Body != nil {
		defer r.Body.Close()
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	in := r.Clone(ctx)
	in.Body = io.NopCloser(bytes.NewReader(body))
	in.RequestURI = r.URL.RequestURI()
	if in.Host == "" {
		in.Host = r.URL.Host
	}
	return in, nil
}

// An exchange is one call: the handler's http.ResponseWriter, and the body of
// the client's response.
type exchange struct {
	cancel context.CancelFunc
	reader *io.PipeReader
	writer *io.PipeWriter

	once   sync.Once
	begun  chan struct{} // closed once code, header and err are final
	code   int
	sent   http.Header
	header http.Header
	err    error
}

func newExchange(cancel context.CancelFunc) *exchange {
	e := &exchange{cancel: cancel, begun: make(chan struct{}), header: http.Header{}}
	e.reader, e.writer = io.Pipe()
	return e
}

var errRefused = &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}

func (e *exchange) run(h http.Handler, in *http.Request) {
	defer func() {
		switch p := recover(); p {
		case nil:
			e.WriteHeader(http.StatusOK)
			e.writer.Close()
		case http.ErrAbortHandler:
			e.begin(0, errRefused)
			e.writer.CloseWithError(io.ErrUnexpectedEOF)
		default:
			panic(p)
		}
	}()
	h.ServeHTTP(e, in)
}

func (e *exchange) begin(code int, err error) {
	e.once.Do(func() {
		e.code, e.sent, e.err = code, e.header.Clone(), err
		close(e.begun)
	})
}

// Header implements [http.ResponseWriter].
func (e *exchange) Header() http.Header { return e.header }

// WriteHeader implements [http.ResponseWriter].
func (e *exchange) WriteHeader(code int) { e.begin(code, nil) }

// Write implements [http.ResponseWriter]. It returns once the client has read.
func (e *exchange) Write(b []byte) (int, error) {
	e.WriteHeader(http.StatusOK)
	return e.writer.Write(b)
}

// Flush implements [http.Flusher]: nothing is held back.
func (e *exchange) Flush() {}

// Read and Close are the body of the client's response.
func (e *exchange) Read(b []byte) (int, error) { return e.reader.Read(b) }

// Close ends the call.
func (e *exchange) Close() error {
	e.cancel()
	return e.reader.Close()
}

func (e *exchange) response(r *http.Request) *http.Response {
	length, err := strconv.ParseInt(e.sent.Get("Content-Length"), 10, 64)
	if err != nil {
		length = -1
	}
	return &http.Response{
		Status:        strconv.Itoa(e.code) + " " + http.StatusText(e.code),
		StatusCode:    e.code,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        e.sent,
		ContentLength: length,
		Body:          e,
		Request:       r,
	}
}
