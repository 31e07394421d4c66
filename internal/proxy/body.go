package proxy

import (
	"io"
	"net/http"
	"sync/atomic"

	"golang.org/x/net/http/httpguts"

	"sallyport/internal/authn"
)

// A requestBody passes a caller's body on. It remembers when the caller's side
// failed, which the transport would report like a failure of the app, and puts
// the trailers in place when the body has ended, which is when they come.
//
// It is read by the transport's goroutine.
type requestBody struct {
	io.ReadCloser
	in     *http.Request // where the server puts the trailers
	out    http.Header   // where the transport looks for them; nil for none
	claims nameSet

	closed atomic.Bool
	failed atomic.Bool
}

// watchBody wraps out's body, if there is one, and announces the trailers that
// x announces.
func (p *proxy) watchBody(out *http.Request, x *exchange) {
	if out.Body == nil {
		return
	}
	x.body = &requestBody{ReadCloser: out.Body, in: x.in, claims: p.claims}
	out.Body = x.body
	out.Trailer = nil
	// Only a chunked body, or one in HTTP/2, can have trailers; in HTTP/1.1 they
	// need no announcement.
	if out.ContentLength >= 0 && len(x.in.Trailer) == 0 {
		return
	}
	out.Trailer = make(http.Header, len(x.in.Trailer))
	for name := range x.in.Trailer {
		if x.body.passes(name) {
			out.Trailer[name] = nil
		}
	}
	x.body.out = out.Trailer
}

// Read implements io.Reader.
func (b *requestBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	switch {
	case err == nil:
	case err == io.EOF:
		b.copyTrailers()
	case !b.closed.Load(): // else it is us who hung up
		b.failed.Store(true)
	}
	return n, err
}

// Close implements io.Closer.
func (b *requestBody) Close() error {
	b.closed.Store(true)
	return b.ReadCloser.Close()
}

func (b *requestBody) copyTrailers() {
	if b.out == nil {
		return
	}
	for name, values := range b.in.Trailer {
		if !b.passes(name) {
			continue
		}
		var kept []string
		for _, v := range values {
			if httpguts.ValidHeaderFieldValue(v) {
				kept = append(kept, v)
			}
		}
		b.out[name] = kept
	}
}

// passes reports whether a trailer may go to the app, which may not tell it
// from a header.
func (b *requestBody) passes(name string) bool {
	return httpguts.ValidTrailerHeader(name) && httpguts.ValidHeaderFieldName(name) &&
		!b.claims.has(name) && !forwardingNames.has(name) && !reservedNames.has(name)
}

// failure returns what went wrong on the caller's side, or nil.
func (b *requestBody) failure() error {
	if b == nil || !b.failed.Load() {
		return nil
	}
	if b.in.ProtoMajor == 2 {
		// Whatever is wrong with it, net/http has ended the stream, and tells
		// the body before it tells the context.
		return &failure{reason: authn.ClientGone, detail: "left in the middle of its body"}
	}
	// The context knows already of a caller that has left, and is asked first.
	return &failure{reason: authn.Body, detail: "malformed"}
}
