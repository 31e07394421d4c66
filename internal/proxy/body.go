package proxy

import (
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http/httpguts"

	"sallyport/internal/authn"
)

// A requestBody passes a caller's body on. It remembers when the caller's side
// failed, which the transport would report like a failure of the app, and puts
// the trailers in place when the body has ended, which is when they come.
//
// It is read by the transport's goroutine, which may go on after the answer.
type requestBody struct {
	io.ReadCloser
	in     *http.Request // where the server puts the trailers
	out    http.Header   // where the transport looks for them; nil for none
	claims nameSet

	reading sync.Mutex // held while somebody reads
	closed  atomic.Bool
	failed  atomic.Bool
	ended   atomic.Bool // all of it has been read
}

// watchBody wraps the body of r, if there is one. r is a copy: of its own request
// the server wants to know whether the body was closed early.
func (p *proxy) watchBody(r *http.Request, x *exchange) {
	if r.ContentLength == 0 {
		return
	}
	x.body = &requestBody{ReadCloser: r.Body, in: x.in, claims: p.claims}
	r.Body = x.body
}

// announceTrailers announces those that the caller does.
func (x *exchange) announceTrailers(out *http.Request) {
	if out.Body == nil {
		return
	}
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
	b.reading.Lock()
	defer b.reading.Unlock()
	if b.closed.Load() {
		return 0, http.ErrBodyReadAfterClose
	}
	n, err := b.ReadCloser.Read(p)
	switch {
	case err == nil:
	case err == io.EOF:
		b.copyTrailers()
		b.ended.Store(true)
	case !b.closed.Load(): // else it is us who hung up
		b.failed.Store(true)
	}
	return n, err
}

// Close implements io.Closer. In HTTP/1.1 it leaves the closing to the server:
// the server's Close would wait until the caller sends what is being read, and
// so would the answer.
func (b *requestBody) Close() error {
	b.closed.Store(true)
	if b.in.ProtoMajor == 1 {
		return nil
	}
	return b.ReadCloser.Close()
}

// halfRead reports whether a part of the body may still be on the connection,
// which then must not carry another request: net/http would take that part for
// one, where the app has answered while the body was still being read.
func (b *requestBody) halfRead() bool {
	return b != nil && b.in.ProtoMajor == 1 && !b.ended.Load()
}

// dropTimeout is how long the rest of a body may take that nobody wants any more.
// Who is still uploading has that long to see the answer before the cut.
const dropTimeout = 2 * time.Second

// dropBody bounds what comes after the answer. An HTTP/1.1 server reads up to 256
// KiB of what is left of a body, so that the connection can be used again, and
// has no other limit of time for it: without one, whoever sends the head of a
// request alone would hold a goroutine for ever, and need no token for it.
func (x *exchange) dropBody(w http.ResponseWriter) {
	if x.in.ProtoMajor != 1 || x.in.ContentLength == 0 {
		return
	}
	// Errors mean that the connection is gone, or is no socket.
	c := http.NewResponseController(w)
	if x.body.halfRead() {
		// The server would end a read under way itself, and forget the limit.
		_ = x.body.Close()
		_ = c.SetReadDeadline(time.Unix(1, 0))
		x.body.reading.Lock()
		defer x.body.reading.Unlock()
	}
	_ = c.SetReadDeadline(time.Now().Add(dropTimeout))
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
	return mayTrail(name) && !b.claims.has(name) && !forwardingNames.has(name)
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
