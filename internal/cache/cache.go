// Package cache remembers decisions, and is an [authn.Authenticator] itself.
//
// A proven token is remembered until it expires, its key is withdrawn, or, where
// the API server must confirm it, its confirmation is too old. A refusal is
// remembered for a few seconds, in a store of its own. An outage never is.
// Nothing that an unproven caller sends can evict, delay or age a proven token.
//
// There are no timers: a token that nobody presents is neither asked about nor
// kept.
package cache

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"sallyport/internal/authn"
)

const (
	// decisionTimeout bounds one decision: two reviews of 3 s and what the
	// limiter waits.
	decisionTimeout = 8 * time.Second
	// recheckWait is how long a known caller waits for a confirmation that is
	// overdue.
	recheckWait = 2 * time.Second
	// refusalLife is short, as the API server also says no when it could not
	// look.
	refusalLife = 5 * time.Second
	// maxLookups bounds the decisions under way about tokens that are not
	// remembered. Each holds its token, and a goroutine once it has a place.
	maxLookups = 1024
	// costly is how many bytes of a token are worth a place more: to examine one of
	// 16 KiB takes six times as long as one of a pod.
	costly = 3 << 10
	// bad is how many places more a token is worth that is refused. A flood of them gets
	// a fifth of the time that those would get who are let in. With more, 256 addresses
	// that flood with tokens of 16 KiB would keep the next one waiting for too long.
	bad = 4
)

// A Source is where a decision came from.
type Source string

// The sources.
const (
	FromCache     Source = "cache"
	FromLocal     Source = "local"     // checked here
	FromAPIServer Source = "apiserver" // the API server was asked
)

// Sources lists every source.
var Sources = []Source{FromCache, FromLocal, FromAPIServer}

// A Limiter hands out places.
type Limiter interface {
	// Go calls f once there is a place, on a goroutine that it starts then, and after a
	// bounded time, maybe before Go returns, with an error: there is none. Release gives
	// the place back; calling it again does nothing. F returns how many more places it
	// was worth: the next ones wait for as much longer.
	Go(addr netip.Addr, f func(release func(), err error) (more int))
}

// Options say how long decisions stand. Zero Recheck, and a negative MaxStale,
// are not valid.
type Options struct {
	// Recheck is how long a confirmation is good for, less up to 20 % jitter.
	Recheck time.Duration
	// MaxStale is how long after its last confirmation a token goes on while
	// it cannot be rechecked; zero means not at all.
	MaxStale time.Duration
	// MaxEntries and MaxBytes bound the proven tokens; zero means 16,384 and
	// 16 MiB, which is 1 KiB for each: what one of a pod takes.
	MaxEntries int
	MaxBytes   int
	// Enter gives a place to a request, by its context and address, that waits until
	// a token which is not remembered has been examined, or says that there is none.
	// Nil bounds only the number of decisions, and not that of the requests that
	// wait for them.
	Enter func(context.Context, netip.Addr) (leave func(), ok bool)
	// Examine bounds how many tokens that are not remembered are examined at the
	// same time; those who wait for somebody else's answer do not count. Nil
	// bounds nothing. It is told the caller's address.
	Examine Limiter
	// Decided is told of each decision, and of one that was not remembered how
	// long it took; it may be nil. It must be fast. The context is that of Authenticate.
	Decided func(ctx context.Context, reason authn.Reason, err error, source Source, took time.Duration)
}

// A Cache is a decorator of the Authenticator that decides.
type Cache struct {
	next authn.Authenticator
	o    Options

	hash    hasher
	proven  *proven
	refused *refused
	flights flights
	lookups chan struct{}
}

// New returns a Cache in front of next.
func New(next authn.Authenticator, o Options) (*Cache, error) {
	if o.Recheck <= 0 || o.MaxStale < 0 {
		return nil, fmt.Errorf("recheck %v must be above 0 and max-stale %v not below", o.Recheck, o.MaxStale)
	}
	if o.MaxEntries == 0 {
		o.MaxEntries = 16 << 10
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = 16 << 20
	}
	if o.Enter == nil {
		o.Enter = func(context.Context, netip.Addr) (func(), bool) { return func() {}, true }
	}
	if o.Decided == nil {
		o.Decided = func(context.Context, authn.Reason, error, Source, time.Duration) {}
	}
	return &Cache{
		next: next, o: o,
		hash:    newHasher(),
		proven:  newProven(o.MaxEntries, o.MaxBytes),
		refused: newRefused(),
		flights: flights{all: map[key]*flight{}},
		lookups: make(chan struct{}, maxLookups),
	}, nil
}

// Len is the number of proven tokens that are remembered.
func (c *Cache) Len() int { return c.proven.len() }

// Evictions is how many proven tokens were forgotten for want of room. Whoever
// presents one of them again waits as if it were new.
func (c *Cache) Evictions() uint64 { return c.proven.evicted.Load() }

// Authenticate implements [authn.Authenticator]. It takes at most 8 s.
func (c *Cache) Authenticate(ctx context.Context, token string) (authn.Identity, error) {
	begun := time.Now()
	id, source, err := c.decide(ctx, token, begun)
	if err != nil && ctx.Err() != nil {
		return id, err
	}
	reason, took := authn.OK, time.Duration(0)
	if err != nil {
		reason = authn.ReasonOf(err)
	}
	if source != FromCache {
		took = time.Since(begun)
	}
	c.o.Decided(ctx, reason, err, source, took)
	return id, err
}

func (c *Cache) decide(ctx context.Context, token string, now time.Time) (authn.Identity, Source, error) {
	k := c.hash.key(token)
	if e := c.proven.get(k); e != nil {
		if id, source, err, ok := c.known(ctx, k, token, e, now); ok {
			return id, source, err
		}
	} else if err := c.refused.get(k); err != nil {
		return authn.Identity{}, FromCache, err
	}
	if caller := authn.CallerOf(ctx); !caller.Known {
		leave, ok := c.o.Enter(ctx, caller.Addr)
		if !ok {
			return authn.Identity{}, FromLocal, overload("too many requests wait for a decision")
		}
		defer leave()
	}
	return c.wait(ctx, c.ask(ctx, k, token, nil), nil)
}

func overload(detail string) error {
	return &authn.Error{Kind: authn.ErrUnavailable, Reason: authn.Overload, Detail: detail, RetryAfter: time.Second}
}

// ask joins the decision under way about the token, or starts one. It outlives
// whoever asked first, as others may be waiting for it. The entry is nil for a
// token that is not remembered; its caller may know it all the same.
func (c *Cache) ask(ctx context.Context, k key, token string, e *entry) *flight {
	f, first := c.flights.join(k)
	if !first {
		return f
	}
	caller := authn.CallerOf(ctx)
	caller.Known = caller.Known || e != nil
	ctx = authn.WithCaller(context.WithoutCancel(ctx), caller)
	until := time.Now().Add(decisionTimeout)
	decide := func(leave func(), err error) error {
		var id authn.Identity
		if err == nil {
			id, err = c.examine(ctx, token, until, leave)
		}
		err = c.settle(k, e, id, err)
		if e != nil {
			e.recheck.Store(0)
		}
		c.flights.land(k, outcome{id, sourceOf(id, err), err})
		return err
	}
	if caller.Known {
		go decide(func() {}, nil)
	} else {
		c.stranger(caller.Addr, len(token)/costly, decide)
	}
	return f
}

// stranger has a token decided about that is not known, where there is room for it. Even
// if it is let in, it is worth so many places more than one.
func (c *Cache) stranger(addr netip.Addr, more int, decide func(leave func(), err error) error) {
	select {
	case c.lookups <- struct{}{}:
	default:
		decide(nil, overload("too many tokens are being examined"))
		return
	}
	then := func(leave func(), err error) int {
		defer func() { <-c.lookups }()
		if err != nil {
			err = overload("too many tokens wait to be examined")
		}
		if err := decide(leave, err); errors.Is(err, authn.ErrUnauthenticated) {
			return more + bad
		}
		return more
	}
	if c.o.Examine == nil {
		go then(func() {}, nil)
	} else {
		c.o.Examine.Go(addr, then)
	}
}

// examine calls next, and leaves its place. A panic in there is a bug of ours, and
// must neither end the gate nor leave anybody waiting.
func (c *Cache) examine(ctx context.Context, token string, until time.Time, leave func()) (id authn.Identity, err error) {
	ctx, cancel := context.WithDeadline(authn.WithPlace(ctx, leave), until)
	defer cancel()
	defer leave()
	defer func() {
		if p := recover(); p != nil {
			id, err = authn.Identity{}, fmt.Errorf("panic while examining a token: %v", p)
		}
	}()
	id, err = c.next.Authenticate(ctx, token)
	if err != nil && ctx.Err() != nil {
		// The time was up, and nobody examined the token.
		err = authn.Unavailable(authn.ReviewFailed, "no decision within %v", decisionTimeout)
	}
	return id, err
}

// settle remembers what is to be remembered, in place of the entry before, which
// may be nil.
func (c *Cache) settle(k key, before *entry, id authn.Identity, err error) error {
	switch {
	case err == nil && (id.Subject == "" || !time.Now().Before(id.Expires)):
		// No Authenticator may say so; admitting nobody is the safe reading.
		return fmt.Errorf("accepted an identity without a subject, or one that has expired")
	case err == nil && id.Standing != authn.Unconfirmed:
		c.proven.add(k, newEntry(id, c.o.Recheck, before))
	case errors.Is(err, authn.ErrUnauthenticated):
		c.proven.remove(k)
		if authn.ReasonOf(err).Remembered() {
			c.refused.add(k, err)
		}
	}
	return err
}

// sourceOf says who decided. A refusal by the API server has a reason of its own.
func sourceOf(id authn.Identity, err error) Source {
	switch reason := authn.ReasonOf(err); {
	case err == nil && id.Standing == authn.Confirmed,
		reason == authn.Revoked, reason == authn.Mismatch,
		reason == authn.ReviewFailed, reason == authn.ReviewForbidden, reason == authn.OwnToken:
		return FromAPIServer
	}
	return FromLocal
}

// wait returns the outcome of a decision under way, or leaves when ctx ends or
// the timer fires. The timer may be nil.
func (c *Cache) wait(ctx context.Context, f *flight, timer <-chan time.Time) (authn.Identity, Source, error) {
	select {
	case <-f.done:
		return f.id, f.source, f.err
	case <-timer:
		return authn.Identity{}, FromAPIServer, authn.Unavailable(authn.ReviewFailed, "no confirmation within %v", recheckWait)
	case <-ctx.Done():
		return authn.Identity{}, FromLocal, ctx.Err()
	}
}
