package connlimit

import (
	"net/netip"
	"time"
)

const (
	// largeHeader is from where on a header is large, in bytes: those with a token
	// and a dozen cookies are below.
	largeHeader = 8 << 10
	// turn is how long others wait for one that is. It takes net/http a third of a
	// millisecond to read 64 KiB that are there, and who is slow is not waited for.
	turn = 5 * time.Millisecond
)

// turns lets the large headers of one address be read one after the other. Reading
// one takes net/http ten times as long as all the rest that we do for a request:
// 16 connections that send nothing else would keep every processor busy with them,
// and everybody else waits. The limit's lock guards it.
type turns map[netip.Addr]*line

// A line is one address's: who is at it, and who waits, the oldest first.
type line struct {
	at      *conn
	expiry  *time.Timer
	waiting []waiter
}

type waiter struct {
	c   *conn
	now chan struct{} // closed when it is its turn
}

// take has c be at it, or returns what tells when it is.
func (l *Limit) take(c *conn) <-chan struct{} {
	c.large = true
	q := l.turns[c.addr]
	if q == nil {
		q = &line{}
		l.turns[c.addr] = q
		l.give(q, c)
		return nil
	}
	w := waiter{c, make(chan struct{})}
	q.waiting = append(q.waiting, w)
	return w.now
}

func (l *Limit) give(q *line, c *conn) {
	q.at = c
	q.expiry = time.AfterFunc(turn, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.next(c)
	})
}

// next ends c's turn, if it has one.
func (l *Limit) next(c *conn) {
	q := l.turns[c.addr]
	if q == nil || q.at != c {
		return
	}
	q.expiry.Stop()
	if len(q.waiting) == 0 {
		delete(l.turns, c.addr)
		return
	}
	w := q.waiting[0]
	q.waiting = q.waiting[1:]
	l.give(q, w.c)
	close(w.now)
}
