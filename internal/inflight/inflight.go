// Package inflight hands out places to requests under way, so that neither one
// caller nor one kind of callers can have them all.
package inflight

import (
	"context"
	"net/netip"
	"sync"
)

// A Kind is what is known of a request.
type Kind int

// The kinds. Each has places of its own, so that no number of one keeps another
// waiting: a kubelet's probe of a public path has its place however many tokens
// are sent, and who is known has one however many strangers there are.
const (
	Admitted  Kind = iota // its token is good
	Public                // its path needs no token
	Examining             // it waits until its token has been examined
)

// Kinds are their names, for logs and metrics.
var Kinds = [...]string{Admitted: "admitted", Public: "public", Examining: "examining"}

// String returns the kind's name.
func (k Kind) String() string { return Kinds[k] }

// A Caller is who has a place: a subject once its token was found good, until
// then and on public paths the address of the socket's other end. The zero
// Caller, of a unix socket, is nobody in particular, and has no limit of its own.
type Caller struct {
	Subject string
	Addr    netip.Addr
}

// A Limiter has a number of places. All its methods may be called on a nil one,
// which has no limit.
type Limiter struct {
	placed  func(context.Context, Kind, int)
	refused func(Kind, Caller)
	groups  [len(Kinds)]*group
}

// A group is the places of one kind.
type group struct {
	mu        sync.Mutex
	max, each int
	total     int
	callers   map[Caller]int
}

// New returns a limiter of max places, 16 at least: three quarters for those who
// are admitted, and the rest for public paths. Half as many again may wait for a
// decision: they cost less, and have no connection to the app.
//
// A subject has at most perCaller of them. An address has as many for waiting: a
// caller who comes with a new token and all of its requests at once must get
// through. On public paths, where it is all that is known of strangers, it has
// half at most.
//
// placed is called with a request's context, the place's kind and 1 when it gets the
// place, and with -1 when it gives it back; refused for each that got none. They must
// not block.
func New(max, perCaller int, placed func(context.Context, Kind, int), refused func(Kind, Caller)) *Limiter {
	l := &Limiter{placed: placed, refused: refused}
	l.groups[Admitted] = newGroup(max-max/4, perCaller)
	l.groups[Public] = newGroup(max/4, min(perCaller, max/8))
	l.groups[Examining] = newGroup(max/2, perCaller)
	return l
}

func newGroup(max, each int) *group {
	return &group{max: max, each: each, callers: map[Caller]int{}}
}

// Enter takes a place for the request of ctx, or reports that there is none.
func (l *Limiter) Enter(ctx context.Context, k Kind, c Caller) (Place, bool) {
	if l == nil {
		return Place{}, true
	}
	if !l.groups[k].enter(c) {
		l.refused(k, c)
		return Place{}, false
	}
	l.placed(ctx, k, 1)
	return Place{l, k, c, ctx}, true
}

// enter keeps the last eighth for callers who have no place: a few who take all
// they can get must not shut out the others.
func (g *group) enter(c Caller) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.total >= g.max {
		return false
	}
	if n := g.callers[c]; c != (Caller{}) && n > 0 && (n >= g.each || g.total >= g.max-g.max/8) {
		return false
	}
	g.total++
	g.callers[c]++
	return true
}

// A Place belongs to one request. The zero Place is none.
type Place struct {
	limiter *Limiter
	kind    Kind
	caller  Caller
	request context.Context
}

// Leave gives the place back. It does nothing for no place, and must not be
// called twice for another.
func (p Place) Leave() {
	if p.limiter == nil {
		return
	}
	p.limiter.placed(p.request, p.kind, -1)
	g := p.limiter.groups[p.kind]
	g.mu.Lock()
	defer g.mu.Unlock()
	g.total--
	if g.callers[p.caller]--; g.callers[p.caller] == 0 {
		delete(g.callers, p.caller)
	}
}
