package loopback

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"sync/atomic"
)

// maxInterim is how many interim answers (1xx) are passed on: an app has a use for
// one or two, and each costs the caller's connection a write. The others are read,
// as far as time and MaxHeader allow, and dropped.
const maxInterim = 5

// ask writes a request and reads its answer up to the body.
func (t *Transport) ask(c *conn, r *http.Request, head []byte) (*http.Response, error) {
	if err := c.begin(t.o.AnswerTimeout, t.o.MaxHeader); err != nil {
		return nil, err
	}
	if _, err := c.Write(head); err != nil {
		return nil, err
	}
	for interim := 0; ; interim++ {
		res, err := c.readHead(r)
		switch {
		case err != nil:
			return nil, err
		case res.StatusCode == http.StatusSwitchingProtocols:
			return nil, errors.New("the app switches protocols, unasked")
		case res.StatusCode < 100 || res.StatusCode > 199:
			return res, c.relax(t.o.AnswerTimeout, res.ContentLength)
		case interim >= maxInterim:
			continue
		}
		trace := httptrace.ContextClientTrace(r.Context())
		if trace == nil || trace.Got1xxResponse == nil {
			continue
		}
		if err := trace.Got1xxResponse(res.StatusCode, textproto.MIMEHeader(res.Header)); err != nil {
			return nil, err
		}
	}
}

func (c *conn) readHead(r *http.Request) (*http.Response, error) {
	if res, ok := readPlain(c.br, r); ok {
		return res, nil
	}
	return http.ReadResponse(c.br, r)
}

// An ending is that of one answer.
type ending struct {
	t    *Transport
	c    *conn
	ctx  context.Context
	stop func() bool // takes the caller's leave off the connection
	last bool        // no other request may follow
	over atomic.Bool
}

// end lets the connection go, once: to its next request if the answer was read to
// its end and nothing speaks against it. Only then does the answer end for its
// caller, whose next request may have the connection.
func (e *ending) end(whole bool) {
	if !e.over.CompareAndSwap(false, true) {
		return
	}
	// If stop says that it comes too late, the connection is being closed.
	if e.stop() && whole && !e.last && e.c.br.Buffered() == 0 {
		e.t.idle.put(e.c)
	} else {
		e.c.hangUp()
	}
}

// A body is that of an answer. It belongs to its answer alone, and knows nothing
// of its connection once it has ended.
type body struct {
	io.Reader
	*ending
	here bool
	err  error // sticky
}

// IsHere reports whether all of the body has come from the app, so that no Read
// waits for it. The Body of an answer of this package may have this method.
func (b *body) IsHere() bool { return b.here }

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	switch {
	case b.err != nil:
		return 0, b.err
	case b.over.Load():
		return 0, http.ErrBodyReadAfterClose
	}
	n, err := b.Reader.Read(p)
	if err != nil {
		b.end(err == io.EOF)
		if b.err = err; err != io.EOF {
			b.err = orCause(b.ctx, err)
		}
	}
	return n, b.err
}

// Close implements io.Closer. Before the end it gives the connection up: the rest
// may be long, or never come.
func (b *body) Close() error {
	b.end(false)
	return nil
}
