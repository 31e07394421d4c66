package cache

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"time"
	"unsafe"

	"sallyport/internal/authn"
)

// An entry is one proven token. All but recheck is never changed.
type entry struct {
	id authn.Identity
	// confirmed is when the API server said yes, or when the token was proven.
	confirmed time.Time
	// interval is how long the confirmation is good for; zero means for as
	// long as the token is.
	interval time.Duration
	// due is how long it is good for before one request starts a recheck that
	// nobody waits for.
	due time.Duration
	// recheck is when the recheck under way was begun, in Unix nanoseconds, and
	// 0 while there is none.
	recheck atomic.Int64
}

// newEntry returns the entry for a token that was just proven, in place of the
// one before, which may be nil.
//
// Tokens that arrived together must not be rechecked together. Where one recheck
// followed the other in time, it takes little chance to keep them apart. All other
// tokens may have arrived with those of every other gate, when a fleet started or
// the API server came back, and would be asked about in waves for many minutes:
// so their first recheck comes any time.
func newEntry(id authn.Identity, recheck time.Duration, before *entry) *entry {
	id.Memo = new(atomic.Value)
	e := &entry{id: id, confirmed: time.Now()}
	if id.Standing != authn.Confirmed {
		return e
	}
	e.interval = recheck - rand.N(recheck/5+1)
	e.due = e.interval - e.interval/5
	if before == nil || e.confirmed.Sub(before.confirmed) >= before.interval {
		soonest := recheck / 10 // not while the rush is on
		e.due = soonest + rand.N(e.due-soonest+1)
	}
	return e
}

// bytes is about what the entry takes of the heap.
func (e *entry) bytes() int {
	n := int(unsafe.Sizeof(*e)) + 150 // the LRU list's element, the map's slot
	n += 200                          // the memo, and 40 for each of extra
	n += len(e.id.Subject) + len(e.id.UID)
	for _, list := range [][]string{e.id.Groups, e.id.Audiences} {
		n += sizeOf(list)
	}
	for k, v := range e.id.Extra {
		n += len(k) + 64 + 40 + sizeOf(v)
	}
	return n
}

func sizeOf(list []string) int {
	n := 0
	for _, s := range list {
		n += len(s) + int(unsafe.Sizeof(s))
	}
	return n
}

// stands reports whether the entry counts at all.
func (e *entry) stands(now time.Time) bool {
	return now.Before(e.id.Expires) && e.id.Proof.Stands()
}

// begin marks a recheck as under way, and returns when it was begun: now, unless
// somebody was first. A mark that is older than any decision may last was set
// just as a recheck ended, and means nothing.
func (e *entry) begin(now time.Time) time.Time {
	n := e.recheck.Load()
	if begun := time.Unix(0, n); n != 0 && now.Sub(begun) <= decisionTimeout {
		return begun
	}
	e.recheck.CompareAndSwap(n, now.UnixNano())
	return now
}

// known decides about a token that was proven before. Not ok means that the
// entry is no longer worth anything, and the token has to be examined anew.
func (c *Cache) known(ctx context.Context, k key, token string, e *entry, now time.Time) (id authn.Identity, source Source, err error, ok bool) {
	if !e.stands(now) {
		c.proven.drop(k, e)
		return id, "", nil, false
	}
	age := now.Sub(e.confirmed)
	if e.interval == 0 || age < e.due {
		return e.id, FromCache, nil, true
	}
	if age < e.interval {
		if begun := e.begin(now); begun.Equal(now) {
			c.ask(ctx, k, token, e)
		}
		return e.id, FromCache, nil, true
	}
	id, source, err = c.recheck(ctx, k, token, e, now)
	if err == nil || !errors.Is(err, authn.ErrUnavailable) {
		return id, source, err, true
	}
	// Nobody can say whether the token is still good.
	if now = time.Now(); e.stands(now) && now.Sub(e.confirmed) < c.o.MaxStale {
		return e.id, FromCache, nil, true
	}
	return authn.Identity{}, source, err, true
}

// recheck waits for a confirmation that is overdue. The wait is counted from when
// somebody first asked, so that only those wait who come before anybody could
// know of a hang.
func (c *Cache) recheck(ctx context.Context, k key, token string, e *entry, now time.Time) (authn.Identity, Source, error) {
	timer := time.NewTimer(recheckWait - now.Sub(e.begin(now)))
	defer timer.Stop()
	return c.wait(ctx, c.ask(ctx, k, token, e), timer.C)
}
