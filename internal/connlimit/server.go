package connlimit

import (
	"context"
	"net"
	"net/http"
	"time"
)

// Context is for [http.Server.ConnContext].
func (l *Limit) Context(ctx context.Context, nc net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, beneath(nc))
}

// State is for [http.Server.ConnState]. Without it, nothing that comes after the
// first request of an HTTP/1 connection is weighed.
func (l *Limit) State(nc net.Conn, s http.ConnState) {
	if c, ok := beneath(nc).(*conn); ok && s == http.StateIdle {
		c.served.Store(false)
	}
}

// beneath returns what TLS runs on.
func beneath(nc net.Conn) net.Conn {
	if s, ok := nc.(*secured); ok {
		return s.conn
	}
	return nc
}

type connKey struct{}

// Handler tells the limit which connections have requests under way. They are
// never closed. It also tells requests that they came in TLS.
func (l *Limit) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, ok := r.Context().Value(connKey{}).(*conn); ok {
			if s := c.http2.Load(); s != nil {
				s.handle(1)
				defer s.handle(-1)
			} else {
				c.served.Store(true)
				c.ahead.starts()
				defer c.pause()
			}
			r.TLS = c.state
			l.begin(c)
			defer l.end(c)
		}
		next.ServeHTTP(w, r)
	})
}

func (l *Limit) begin(c *conn) {
	l.count(1)
	if c.requests.Add(1) == 1 {
		l.settle(c)
	}
}

func (l *Limit) end(c *conn) {
	l.count(-1)
	if c.requests.Add(-1) == 0 {
		l.settle(c)
	}
}

// count counts n more requests that are under way. It is by itself so that the bench can
// leave it out, as what observing costs.
func (l *Limit) count(n int64) {
	l.requests.Add(n)
}

// settle puts c where it belongs, now that it has its first request or lost its
// last: the lock is not for those between.
func (l *Limit) settle(c *conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c.unlink()
	if c.requests.Load() > 0 {
		l.forgetHeader(c)
	} else if !c.gone {
		l.idle.push(c)
	}
}

// arrived counts what came on c while no request was under way: a header, or a
// handshake. What weighs most goes when all of it is too much; and what is large
// waits for its turn. Meanwhile it is not counted, as nobody has looked at it yet:
// else those who wait, each with a whole request, would be too much together. It returns
// for how long it had c wait.
func (l *Limit) arrived(c *conn, bytes, lines int) (held time.Duration) {
	weight := bytes + lines*lineWeight
	l.mu.Lock()
	if c.unfinished() && c.header+weight > largeHeader && !c.large {
		if turn := l.take(c); turn != nil {
			l.mu.Unlock()
			began := time.Now()
			<-turn
			held = time.Since(began)
			l.mu.Lock()
		}
	}
	if !c.unfinished() { // any more
		l.mu.Unlock()
		return held
	}
	c.header += weight
	l.header += weight
	var victim *conn
	if l.header > l.maxHeader {
		// There may be nobody: c stands in no queue while its last request ends.
		victim = heaviest(l.waiting.heaviest(), l.idle.heaviest())
		l.dismiss(victim)
	}
	breath := c.breath(weight)
	l.mu.Unlock()
	l.evict(victim, Header)
	time.Sleep(breath)
	return held + breath
}

// between reports whether what a Read brings is a header, or a handshake: no request is
// under way, nor the rest of one.
func (c *conn) between() bool { return c.requests.Load() == 0 && !c.served.Load() }

// unfinished reports whether what comes on c is a header, or a handshake. The caller
// holds the lock.
func (c *conn) unfinished() bool { return !c.gone && c.requests.Load() == 0 }
