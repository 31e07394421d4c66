package main

import (
	"context"
	"net/http"
	"sync"
	"time"

	"go.uber.org/zap"
)

// A draining takes the gate out of service without losing a request: it is not
// ready at once, asks each client to come back on another connection, and goes
// on serving until everybody had the time to notice.
type draining struct {
	delay time.Duration
	// unready is called once, at the beginning.
	unready func()
	log     *zap.Logger

	once  sync.Once
	begun chan struct{}
	over  chan struct{}
}

func newDraining(delay time.Duration, unready func(), log *zap.Logger) *draining {
	return &draining{delay: delay, unready: unready, log: log, begun: make(chan struct{}), over: make(chan struct{})}
}

// wait begins the drain, or joins the one that has begun, and returns when the
// delay is over. So a SIGTERM that follows a drain does not wait again.
func (d *draining) wait(ctx context.Context) error {
	d.once.Do(func() {
		d.log.Info("draining: not ready, and still serving", zap.Duration("delay", d.delay))
		d.unready()
		close(d.begun)
		time.AfterFunc(d.delay, func() { close(d.over) })
	})
	select {
	case <-d.over:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// handler ends connections while draining: Connection: close on HTTP/1.1, which
// net/http turns into GOAWAY on HTTP/2. No connection is closed under a request.
func (d *draining) handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(closing{w, d.begun}, r)
	})
}

// A closing answer says that its connection ends, if a drain has begun by then:
// the next request of a connection that stayed would find the app gone, however
// long before the drain this one came. It says so with the status, as ReverseProxy empties the header after
// an app's early hints, and not when a connection is switched to another
// protocol.
type closing struct {
	http.ResponseWriter
	begun <-chan struct{}
}

// WriteHeader implements http.ResponseWriter.
func (c closing) WriteHeader(code int) {
	select {
	case <-c.begun:
		if code >= http.StatusOK {
			c.Header().Set("Connection", "close")
		}
	default:
	}
	c.ResponseWriter.WriteHeader(code)
}

// Unwrap is for http.ResponseController.
func (c closing) Unwrap() http.ResponseWriter { return c.ResponseWriter }
