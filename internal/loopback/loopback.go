// Package loopback is an [http.RoundTripper] for an app that is next to us: it
// carries requests without a body over HTTP/1.1 in clear, on TCP or a unix socket.
//
// It writes the request and reads the answer on the caller's own goroutine, where
// net/http's transport has two goroutines a connection and hands both over by
// channels. Answers are parsed by net/http. What is rare (a body, an upgrade,
// Expect, a name in Unicode) is left to net/http's transport.
//
// Nobody reads a connection while it is idle. So it is looked at when it is taken:
// whatever lies there was said after the last answer had ended, and belongs to
// nobody.
package loopback

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"
	"time"
)

// Options are what [New] needs.
type Options struct {
	// Dial opens a connection to the app. It must be bounded in time. Required.
	Dial func(context.Context) (net.Conn, error)
	// MaxIdle is how many connections may wait for their next request, and
	// IdleTimeout for how long. Zero means none.
	MaxIdle     int
	IdleTimeout time.Duration
	// AnswerTimeout is the longest wait from the beginning of a request to the
	// end of its answer's header; zero means no limit.
	AnswerTimeout time.Duration
	// MaxHeader bounds the headers of one answer, in bytes, interim answers
	// included. Required.
	MaxHeader int
}

// A Transport carries requests to one app. It must be made by [New].
type Transport struct {
	o     Options
	idle  idle
	turns turns
	heads sync.Pool // of *bytes.Buffer
}

// New returns a transport. It does not dial.
func New(o Options) (*Transport, error) {
	if o.Dial == nil || o.MaxHeader <= 0 {
		return nil, errors.New("loopback: Dial and MaxHeader are required")
	}
	return &Transport{
		o:     o,
		idle:  idle{max: o.MaxIdle, timeout: o.IdleTimeout},
		heads: sync.Pool{New: func() any { return new(bytes.Buffer) }},
	}, nil
}

// maxHead is how large a buffer for requests is kept: a usual one, with a token
// and cookies. A request may have 64 KiB of headers.
const maxHead = 8 << 10

// RoundTrip implements http.RoundTripper. The error is http.ErrSkipAltProtocol
// where r is not of the kind that this transport carries, or not valid: then
// nothing was sent, and r is for net/http's transport, which says what is wrong.
// Where r's context has ended, the error is its cause.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	head := t.heads.Get().(*bytes.Buffer)
	defer t.keep(head)
	head.Reset()
	if !writeHead(head, r) {
		return nil, http.ErrSkipAltProtocol
	}
	t.turns.wait()
	if r.Context().Err() != nil {
		return nil, context.Cause(r.Context())
	}
	if c := t.idle.take(); c != nil {
		res, err := t.exchange(c, r, head.Bytes())
		if err == nil || c.heard || !isRepeatable(r) || isTimeout(err) || r.Context().Err() != nil {
			return res, err
		}
		// The app closed the connection just as it was taken. A second time is
		// on a connection of its own, and so the last.
	}
	conn, err := t.o.Dial(r.Context())
	if err != nil {
		return nil, orCause(r.Context(), err)
	}
	return t.exchange(newConn(conn), r, head.Bytes())
}

// CloseIdleConnections closes the connections that carry no request.
func (t *Transport) CloseIdleConnections() { t.idle.close() }

func (t *Transport) keep(head *bytes.Buffer) {
	if head.Cap() <= maxHead {
		t.heads.Put(head)
	}
}

// isRepeatable reports whether a request may be sent again if no byte of an
// answer came: that says nothing about whether the app has acted on it.
func isRepeatable(r *http.Request) bool {
	return r.Method == http.MethodGet || r.Method == http.MethodHead || r.Method == http.MethodOptions
}

// exchange sends r on c, and returns the head of the answer. It takes c over:
// who ends the answer puts it among the idle ones, or closes it.
func (t *Transport) exchange(c *conn, r *http.Request, head []byte) (*http.Response, error) {
	// A caller who leaves takes the connection along.
	ctx := r.Context()
	stop := context.AfterFunc(ctx, c.hangUp)
	res, err := t.ask(c, r, head)
	if err != nil {
		stop()
		c.hangUp()
		if isTimeout(err) {
			err = fmt.Errorf("no answer within %v: %w", t.o.AnswerTimeout, os.ErrDeadlineExceeded)
		}
		return nil, orCause(ctx, err)
	}
	e := &ending{t: t, c: c, ctx: ctx, stop: stop, last: res.Close || res.StatusCode < 200}
	if r.Method == http.MethodHead || res.ContentLength == 0 {
		e.end(true)
		return res, nil
	}
	res.Body = &body{Reader: res.Body, ending: e, here: c.has(res.ContentLength)}
	return res, nil
}

func isTimeout(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }

// orCause returns why ctx has ended, if it has, and else err.
func orCause(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}
