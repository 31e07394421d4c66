package minicluster

import (
	"context"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"syscall"
)

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
