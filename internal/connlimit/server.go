package connlimit

import (
	"context"
	"net"
	"net/http"
)

// Context is for [http.Server.ConnContext].
func (l *Limit) Context(ctx context.Context, nc net.Conn) context.Context {
	if tls, ok := nc.(interface{ NetConn() net.Conn }); ok {
		nc = tls.NetConn()
	}
	return context.WithValue(ctx, connKey{}, nc)
}

type connKey struct{}

// Handler tells the limit which connections have requests under way. They are
// never closed.
func (l *Limit) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, ok := r.Context().Value(connKey{}).(*conn); ok {
			l.begin(c)
			defer l.end(c)
		}
		next.ServeHTTP(w, r)
	})
}

func (l *Limit) begin(c *conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c.requests++
	c.busy.Store(true)
	c.unlink()
	l.forgetHeader(c)
}

func (l *Limit) end(c *conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c.requests--; c.requests == 0 && !c.gone {
		c.busy.Store(false)
		l.idle.push(c)
	}
}

// arrived counts what came on c while no request was under way: a header, or a
// handshake. What weighs most goes when all of it is too much; and what is large
// waits for its turn.
func (l *Limit) arrived(c *conn, bytes, lines int) {
	l.mu.Lock()
	if c.gone || c.requests > 0 {
		l.mu.Unlock()
		return
	}
	weight := bytes + lines*lineWeight
	c.header += weight
	l.header += weight
	var turn <-chan struct{}
	if c.header > largeHeader && !c.large {
		turn = l.take(c)
	}
	var victim *conn
	if l.header > l.maxHeader {
		victim = heaviest(l.waiting.heaviest(), l.idle.heaviest())
		l.dismiss(victim)
	}
	l.mu.Unlock()
	l.evict(victim, Header)
	if turn != nil {
		<-turn
	}
}
