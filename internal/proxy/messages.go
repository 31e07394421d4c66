package proxy

import (
	"io"
	"net/http"
)

// messages is the body of a gRPC answer over HTTP/2. Between two messages it can
// end with a status.
type messages struct {
	io.ReadCloser
	f      *flight
	res    *http.Response // where ReverseProxy looks for the trailers
	frames frames         // f.mu guards it
}

// Read implements io.Reader.
func (m *messages) Read(p []byte) (int, error) {
	n, err := m.ReadCloser.Read(p)
	if err == io.EOF {
		return n, err // the app was first
	}
	m.f.mu.Lock()
	defer m.f.mu.Unlock()
	e := m.f.ending.Load()
	if e == nil {
		m.frames.pass(p[:n])
		return n, err
	}
	if m.frames.boundary() {
		n = 0
	} else {
		n = m.frames.next(p[:n])
	}
	if !m.frames.boundary() {
		return n, err
	}
	e.clean.Store(true)
	m.status(e)
	return n, io.EOF
}

// status replaces the trailers by UNAUTHENTICATED.
func (m *messages) status(e *ending) {
	trailer := http.Header{"Grpc-Status": {"16"}, "Grpc-Message": {e.text()}}
	if len(m.res.Trailer) == len(trailer) {
		// ReverseProxy would take them for the ones that the app announced,
		// which may have other names.
		delete(trailer, "Grpc-Message")
	}
	m.res.Trailer = trailer
}
