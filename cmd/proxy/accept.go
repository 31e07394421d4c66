package main

import (
	"errors"
	"net"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// toldEvery is how often the log says that connections cannot be taken: often
// enough to be seen, and too seldom to fill it.
const toldEvery = time.Minute

// A watched listener says in the log why nobody can connect, which is nearly
// always that no file descriptor is left. net/http tries again by itself, and
// says so only where callers' broken connections are told, at debug level.
type watched struct {
	net.Listener
	log  *zap.Logger
	told atomic.Int64 // Unix nanoseconds
}

// Accept implements [net.Listener].
func (l *watched) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil || errors.Is(err, net.ErrClosed) {
		return c, err
	}
	now, last := time.Now().UnixNano(), l.told.Load()
	if now-last >= int64(toldEvery) && l.told.CompareAndSwap(last, now) {
		l.log.Error("cannot take new connections", zap.Error(err))
	}
	return c, err
}
