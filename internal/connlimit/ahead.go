package connlimit

import (
	"sync/atomic"
	"time"
)

// Who sends requests of HTTP/1 before they have the answer to the one before has always
// something for net/http to read. Two of its goroutines hand a processor to each other
// then, and Go looks at all other connections only every 10 ms: one such caller keeps
// everybody else waiting for a second. So its connection pauses behind each request.
const (
	// someAhead is how much of that is let pass, in points or Reads of 4 KiB: twice what
	// one header may be.
	someAhead = 32
	// waits is what a Read takes at least that has to wait, and at most one that has not.
	waits = 20 * time.Microsecond
	// pauseAhead is for a stranger: of 500 connections these are 10,000 requests in a
	// second, half of what one processor can answer.
	pauseAhead = 50 * time.Millisecond
	// yieldAhead is for who is known, and long enough for Go to look at the others.
	yieldAhead = 100 * time.Microsecond
)

// An ahead is how much a connection sends before it has answers. The goroutines of
// net/http that read and serve it take turns.
type ahead struct {
	fresh    atomic.Bool  // something was read since a request began
	together atomic.Int32 // requests that came with the one before: two points each
	full     atomic.Int32 // how many times in a row there was more to read, maybe
}

// heard looks at a Read that waits for a header, of n bytes into room for so many. Where
// it takes all that is there, the caller is waited for, and that takes a point back.
func (a *ahead) heard(room, n int) {
	a.fresh.Store(true)
	if n == room {
		a.full.Add(1)
		return
	}
	a.full.Store(0)
	a.together.Store(max(a.together.Load()-1, 0))
}

// starts notes that a request begins.
func (a *ahead) starts() {
	if !a.fresh.Swap(false) {
		a.together.Store(min(a.together.Load()+2, 2*someAhead))
	}
}

// much reports whether it has to pause.
func (a *ahead) much() bool { return a.together.Load() > someAhead || a.full.Load() > someAhead }

// reads returns when a Read begins, where that matters.
func (a *ahead) reads() (begun time.Time) {
	if a.full.Load() > 0 {
		begun = time.Now()
	}
	return begun
}

// waited reports whether a Read that began then had to wait, other than for us.
func waited(begun time.Time, held time.Duration) bool {
	return !begun.IsZero() && time.Since(begun)-held > waits
}

// heard looks at a Read of net/http's on c.
func (c *conn) heard(room, n int, waited bool) {
	if n <= 0 || room == 1 { // so it looks whether the caller is still there
		return
	}
	if waited {
		c.ahead.full.Store(0) // also in a body, whose end fills the room
	}
	if c.between() {
		c.ahead.heard(room, n)
	}
}

// pause is behind a request of HTTP/1.
func (c *conn) pause() {
	switch {
	case !c.ahead.much():
	case c.known.Load():
		time.Sleep(yieldAhead)
	default:
		time.Sleep(pauseAhead)
	}
}
