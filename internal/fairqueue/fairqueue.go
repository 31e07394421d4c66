// Package fairqueue limits calls to a server that we share with others, or work
// that takes our own time: so many a second, so many at a time. When more is
// asked for, the addresses that ask take turns, so that one address alone may
// have all of it, and a flood from one does not shut out the others.
package fairqueue

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"time"
)

// ErrFull means that there was no place to wait, or that the wait was over
// before a turn came.
var ErrFull = errors.New("the queue is full")

// A Queue grants calls. It has no goroutine, and timers only while somebody
// waits.
type Queue struct {
	limits Limits

	mu      sync.Mutex
	bucket  bucket
	held    int
	waiting turns
	refill  *time.Timer // set while somebody waits for the bucket alone
}

// New returns a queue for l. It panics if Rate, Burst or Concurrent is not
// positive: no operator sets them, so it is a mistake in the program.
func New(l Limits) *Queue {
	if !(l.Rate > 0) || l.Burst < 1 || l.Concurrent < 1 {
		panic("fairqueue: Rate, Burst and Concurrent must be positive")
	}
	l = l.withDefaults()
	return &Queue{
		limits:  l,
		bucket:  newBucket(l.Rate, l.Burst),
		waiting: newTurns(l.Addresses, l.PerAddress),
	}
}

// Acquire waits for addr's turn. The error is [ErrFull] or that of ctx. Without
// an error the caller must call release when its call is over; calling it again
// does nothing.
//
// An IPv6 address stands for its /64, as one host has all of that. The zero
// Addr is a place like any other.
func (q *Queue) Acquire(ctx context.Context, addr netip.Addr) (release func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	turn := make(chan error, 1)
	w := &waiter{addr: host(addr), turn: func(err error) { turn <- err }}
	q.enter(w)
	select {
	case err = <-turn:
	case <-ctx.Done():
		// A turn that came in the meantime ends here. Its share of the rate is
		// lost, as the bucket may have filled up since.
		if !q.leave(w) && <-turn == nil {
			q.release()
		}
		err = ctx.Err()
	}
	if err != nil {
		return nil, err
	}
	return sync.OnceFunc(q.release), nil
}

// Go is Acquire for who has no goroutine to wait on: it returns at once, and f is
// called on a goroutine that is started when addr's turn has come, or with [ErrFull].
// What f returns is how many more grants than one the call was worth: those behind it
// wait for as much longer, but not for more than 64 that are owed.
func (q *Queue) Go(addr netip.Addr, f func(release func(), err error) (more int)) {
	q.enter(&waiter{addr: host(addr), turn: func(err error) {
		if err != nil {
			go f(nil, err)
			return
		}
		go func() {
			q.owe(f(sync.OnceFunc(q.release), nil))
		}()
	}})
}

func (q *Queue) owe(n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.bucket.owe(time.Now(), n)
}

// enter grants a call at once, or puts w among those who wait. Nobody overtakes:
// where somebody waits, everybody does.
func (q *Queue) enter(w *waiter) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if now := time.Now(); q.waiting.empty() && q.free(now) {
		q.take(now)
		w.turn(nil)
		return
	}
	if !q.waiting.push(w) {
		w.turn(ErrFull)
		return
	}
	w.late = time.AfterFunc(q.limits.Wait, func() {
		if q.leave(w) {
			w.turn(ErrFull)
		}
	})
	q.grant()
}

// leave gives up w's place, and reports whether it had one still.
func (q *Queue) leave(w *waiter) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.waiting.remove(w) {
		return false
	}
	w.late.Stop()
	q.grant()
	return true
}

func (q *Queue) release() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.held--
	q.grant()
}

// free reports whether a call may start now.
func (q *Queue) free(now time.Time) bool {
	return q.held < q.limits.Concurrent && q.bucket.wait(now) == 0
}

// take starts a call.
func (q *Queue) take(now time.Time) {
	q.held++
	q.bucket.take(now, 1)
}

// grant gives every call that may start now to the addresses in turn, and sees
// to it that it is called again when the bucket has the next. It is called with
// the lock held whenever a call ends, a place changes or the bucket fills.
func (q *Queue) grant() {
	now := time.Now()
	for !q.waiting.empty() && q.free(now) {
		w := q.waiting.pop()
		q.take(now)
		w.late.Stop()
		w.turn(nil)
	}
	if q.refill != nil {
		q.refill.Stop()
		q.refill = nil
	}
	// With every call under way, the end of one is what we wait for.
	if q.waiting.empty() || q.held >= q.limits.Concurrent {
		return
	}
	q.refill = time.AfterFunc(q.bucket.wait(now), func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.grant()
	})
}
