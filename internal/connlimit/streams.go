package connlimit

import (
	"bytes"
	"context"
	"crypto/tls"
	"net/http"
	"runtime"
	"slices"
)

// Each request under way on HTTP/2 is a goroutine of net/http's, which costs some
// 20 KB, and any connection can start as many as it may have streams. So what they
// weigh is bounded: where there is no room, what comes on other HTTP/2 connections
// waits before net/http sees it. HTTP/1 weighs nothing, as a connection has one
// request, and connections are bounded.
//
// What runs ends by itself, and soon: who waits for more than a processor has a
// place of package inflight's meanwhile, and weighs nothing. An answer ends when
// its caller takes it, so somebody who does not may have to go.
const (
	// running is what a request weighs that has no place, or that may be in what
	// was read last.
	running = 2
	// untaken is what an answer weighs that waits to be written. It is less, as
	// the frames that would let it be written wait too where there is no room.
	untaken = 1
	// addressRoom is for one address: 128 requests that run, more than any number
	// of processors is busy with, or 256 answers, as many as a caller has requests
	// by default. They cost 3 to 6 MB.
	addressRoom = 256
	// allRoom is for all together. The last quarter of it is for addresses that
	// have little under way: three who take all they can get do not keep everybody
	// else waiting.
	allRoom  = 4 * addressRoom
	lastRoom = allRoom / 4
	little   = 16 * running
)

// leastHeaders is the length of the smallest HEADERS frame that begins a request:
// 9 bytes, and one each for method, scheme and path (RFC 9113, section 4.1, and RFC
// 7541, section 6.1).
const leastHeaders = 12

// preface is what an HTTP/2 connection begins with (RFC 9113, section 3.4).
var preface = []byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")

// greet looks for the preface in what came first on c.
func (c *conn) greet(came []byte) {
	n := min(len(came), len(c.rest))
	switch {
	case !bytes.Equal(came[:n], c.rest[:n]):
		c.rest = nil
	case n < len(c.rest):
		c.rest = c.rest[n:]
	default:
		c.rest = nil
		c.limit.speaksHTTP2(c)
	}
}

// Hello is for [tls.Config.GetConfigForClient]. Who offers HTTP/2 gets it from
// net/http.
func (l *Limit) Hello(h *tls.ClientHelloInfo) (*tls.Config, error) {
	if c, ok := h.Conn.(*conn); ok && slices.Contains(h.SupportedProtos, "h2") {
		c.tls = true
		l.speaksHTTP2(c)
	}
	return nil, nil
}

func (l *Limit) speaksHTTP2(c *conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !c.gone {
		c.http2.Store(true)
		l.http2[c] = struct{}{}
	}
}

// Placed says that n more of the requests of ctx's connection have a place of
// package inflight's, or fewer where n is negative.
func (l *Limit) Placed(ctx context.Context, n int) {
	if c, ok := ctx.Value(connKey{}).(*conn); ok && c.http2.Load() {
		l.weigh(c, -n*running)
	}
}

// weigh adds to what c weighs, and lets others go on where that makes room. It
// needs no lock: nobody may wait uncounted.
func (l *Limit) weigh(c *conn, n int) {
	if n == 0 {
		return
	}
	c.weight.Add(int64(n))
	all, from := l.weight.Add(int64(n)), c.from.weight.Add(int64(n))
	left := from == 0 && c.from.open.Load() == 0
	if n < 0 && (left || l.queued.Load() && all < allRoom) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.forget(c)
		l.letOn()
	}
}

// asks notes that net/http asks for more on c. Requests may have been started that
// have not begun yet, and do not count: where there are many, they go first.
func (l *Limit) asks(c *conn) {
	if c.from.weight.Load() > little {
		for n := c.came.Load(); n > 0; {
			runtime.Gosched()
			left := c.came.Load()
			if left == n {
				break // the rest was something else
			}
			n = left
		}
	}
	l.handedOut(c)
}

// handedOut notes that what c's last Read brought has become requests.
func (l *Limit) handedOut(c *conn) { l.weigh(c, -running*int(c.came.Swap(0))) }

// start counts a request that begins on a connection that speaks HTTP/2.
func (l *Limit) start(c *conn) {
	for n := c.came.Load(); n > 0; n = c.came.Load() {
		if c.came.CompareAndSwap(n, n-1) {
			return // it is one of these
		}
	}
	l.weigh(c, running)
}

// finish counts a request whose handler returns. Its answer is under way until the
// stream is closed: net/http writes what is left after the handler, and keeps the
// goroutine for that. The request's context ends too early to tell.
func (l *Limit) finish(c *conn, w http.ResponseWriter) {
	c.untaken.Add(1)
	l.weigh(c, untaken-running)
	closed := w.(interface{ CloseNotify() <-chan bool }).CloseNotify()
	go func() {
		<-closed
		c.untaken.Add(-1)
		l.weigh(c, -untaken)
	}()
}
