package connlimit

import (
	"slices"
	"time"
)

const (
	// largeHeader is from where on a header is large, in bytes: those with a token
	// and a dozen cookies are below.
	largeHeader = 8 << 10
	// turn is how long others wait for one that is: one of 64 KiB that are there has been
	// read by then, with its pauses. Who is slow is not waited for.
	turn = 15 * time.Millisecond
	// piece is how much of a stranger's, by weight, comes between two pauses. Meanwhile
	// callers are served who wait for a processor, and garbage is collected: to read 64
	// KiB makes 300 KB of it, and at one go has the reader collect it, for a millisecond
	// and more.
	piece = 6 << 10
	pause = time.Millisecond
	// largeIdle is how many HTTP/2 connections may be idle that have had one. What
	// net/http read it into it keeps as long as the connection lives, up to 150 KB. Half
	// of them are for one address.
	largeIdle = 64
)

// A line lets the large headers of one address be read one after the other. Reading
// one takes net/http ten times as long as all the rest that we do for a request: 16
// connections that send nothing else would keep every processor busy with them, and
// everybody else waits. Connections whose callers are known have a line of their own.
type line struct {
	place   **line      // where it stands
	at      *conn       // whose turn it is
	timer   *time.Timer // ends the turn
	waiting []waiter    // the oldest first
}

type waiter struct {
	c   *conn
	now chan struct{} // closed when it is its turn
}

// take has c be at it, or returns what tells when it is.
func (l *Limit) take(c *conn) <-chan struct{} {
	place := &c.from.large
	if c.known.Load() {
		place = &c.from.knownLarge
	}
	c.large = true
	if *place == nil {
		c.line = &line{place: place}
		*place = c.line
		l.give(c.line, c)
		return nil
	}
	c.line = *place
	w := waiter{c, make(chan struct{})}
	c.line.waiting = append(c.line.waiting, w)
	return w.now
}

func (l *Limit) give(q *line, c *conn) {
	q.at = c
	q.timer = time.AfterFunc(turn, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if q.at == c {
			l.pass(q, c) // who is slow takes no time of ours
		}
	})
}

// next ends c's turn, if it has one.
func (l *Limit) next(c *conn) {
	if q := c.line; q != nil && q.at == c {
		q.timer.Stop()
		l.pass(q, c)
	}
}

// breath is how long c pauses behind what came last of a header, by its weight, and at
// most for a turn.
func (c *conn) breath(weight int) time.Duration {
	if !c.large || c.known.Load() {
		return 0
	}
	return min(time.Duration(c.header/piece-(c.header-weight)/piece)*pause, turn)
}

// leaveLine has c, which is gone, wait no longer: it would end only after its turn, and
// so many that have not ended are refused others of their address.
func (c *conn) leaveLine() {
	if c.line == nil {
		return
	}
	c.line.waiting = slices.DeleteFunc(c.line.waiting, func(w waiter) bool {
		if w.c == c {
			close(w.now)
		}
		return w.c == c
	})
}

// pass gives the turn that c had to who waits longest.
func (l *Limit) pass(q *line, c *conn) {
	if len(q.waiting) == 0 {
		q.at, *q.place = nil, nil
		l.forget(c)
		return
	}
	w := q.waiting[0]
	q.waiting = q.waiting[1:]
	l.give(q, w.c)
	close(w.now)
}

// spare notes that a large header comes on s, and closes another one that has had one
// and is idle, where there are too many: the one whose came first.
func (l *Limit) spare(s *session) {
	l.mu.Lock()
	s.large = time.Now()
	var all, own []*session
	for t := range l.sessions {
		if t == s || t.large.IsZero() || !t.idle() {
			continue
		}
		if all = append(all, t); t.conn.from == s.conn.from && t.conn.from.bounded {
			own = append(own, t)
		}
	}
	from := all
	if len(own) >= largeIdle/2 {
		from = own
	} else if len(all) < largeIdle {
		from = nil
	}
	var victim *conn
	if len(from) > 0 {
		victim = slices.MinFunc(from, func(a, b *session) int { return a.large.Compare(b.large) }).conn
	}
	l.dismiss(victim)
	l.mu.Unlock()
	l.evict(victim, Header)
}
