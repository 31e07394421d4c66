// Package connlimit bounds the connections of a server, how many of them one
// address may have, and what unfinished headers and HTTP/2 requests may hold of our
// memory and take of our time.
//
// A server takes part with its listener, its ConnContext, ConnState, HTTP/2 and
// handler: they are how a connection is known to wait for its first request, to serve
// one, or to be idle between two. That is so for HTTP/1, HTTP/2 and upgraded connections
// alike: a TLS handshake that does not end, or an HTTP/2 connection with nothing
// but PINGs, waits.
package connlimit

import (
	"net/netip"
	"sync"
	"sync/atomic"
)

// A Cause is why a connection was closed.
type Cause string

// The causes.
const (
	// Waiting: it had waited for its first request longer than all others, and
	// they were more than the idle ones.
	Waiting Cause = "waiting"
	// Idle: it had been idle the longest, and they were more than those waiting.
	Idle Cause = "idle"
	// Header: unfinished headers held too much, and it had sent most of them; or too
	// many were idle that have had a large one, and its came first.
	Header Cause = "header"
	// Untaken: answers that nobody took were in the way, and it had most of them.
	Untaken Cause = "untaken"
	// Refused: all others had requests under way, so the new one had to go, or too
	// many of its address that were closed have not ended yet.
	Refused Cause = "refused"
)

// Causes lists every cause.
var Causes = []Cause{Waiting, Idle, Header, Untaken, Refused}

// headerShare is what unfinished headers may weigh, for each connection that is
// allowed: as much as a TLS client hello or an ordinary request. 1,024 connections
// that send 64 KiB each, and not the end, would hold 128 MiB; so they hold 2 MiB.
const headerShare = 2 << 10

// lineWeight is what a header's line costs beside its bytes: a string or two, and
// a place in a map. 64 KiB of lines like "a:" become 3 MiB.
const lineWeight = 128

// minLeaving is how many connections of one address may at least have been closed
// and not have ended: more than can be under way to it for a moment.
const minLeaving = 16

// A Limit is the connections of one server.
type Limit struct {
	max, perAddress, maxHeader int
	closed                     func(Cause, netip.Addr)
	before                     *Limit // nil: none

	mu        sync.Mutex
	requests  atomic.Int64 // under way; here, as the lock is taken for nearly each
	open      int
	addresses map[netip.Addr]*address
	header    int // what unfinished headers weigh
	waiting   queue
	idle      queue
	sessions  map[*session]struct{}
	waiters   []*session // have a stream that there is no room for
	ticking   bool       // somebody looks after them

	weight atomic.Int64 // of the requests on HTTP/2
	queued atomic.Bool  // there are waiters
}

// An address is what comes from there.
type address struct {
	bounded bool         // it is one: a unix socket has none
	open    atomic.Int64 // connections; written under the limit's lock
	weight  atomic.Int64 // of its requests on HTTP/2, those of closed connections among them

	// Guarded by the limit's lock.
	leaving           int   // connections that were closed, and have not ended
	large, knownLarge *line // of large headers; nil: there are none
}

// New returns a limit of max connections, at least 2, and half of that for each
// remote address. closed is called once for each connection that the limit closed,
// with the address of its other end; it must not block.
func New(max int, closed func(Cause, netip.Addr)) *Limit {
	l := &Limit{
		max: max, perAddress: max / 2, maxHeader: max * headerShare,
		closed: closed, addresses: map[netip.Addr]*address{}, sessions: map[*session]struct{}{},
	}
	l.waiting.init()
	l.idle.init()
	return l
}

// After has other's connections closed before l's own where the process has no
// descriptor left. It is for before there are any.
func (l *Limit) After(other *Limit) { l.before = other }

// Open returns how many connections there are, those of upgraded ones included.
func (l *Limit) Open() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.open
}

// Requests returns how many requests are under way, upgraded connections included.
func (l *Limit) Requests() int { return int(l.requests.Load()) }

// enter counts c, and closes another if there is no room for it. It reports
// whether there is room.
func (l *Limit) enter(c *conn) bool {
	l.mu.Lock()
	if c.from = l.addresses[c.addr]; c.from == nil {
		c.from = &address{bounded: c.addr.IsValid()}
	}
	if c.from.leaving >= max(minLeaving, l.max/8) {
		l.mu.Unlock()
		l.closed(Refused, c.addr)
		return false
	}
	var victim *conn
	var cause Cause
	crowded := c.from.bounded && int(c.from.open.Load()) >= l.perAddress
	if crowded || l.open >= l.max {
		if victim, cause = l.oldest(c.addr, crowded); victim == nil {
			l.mu.Unlock()
			l.closed(Refused, c.addr)
			return false
		}
		l.dismiss(victim)
	}
	l.open++
	c.from.open.Add(1)
	l.addresses[c.addr] = c.from
	l.waiting.push(c)
	l.mu.Unlock()
	l.evict(victim, cause)
	return true
}

// oldest finds who has to make room: of all connections, or of one address's
// alone. It is one of those that wait, or of the idle ones where these are more:
// else somebody who fills the gate with idle connections would make all newcomers
// close each other. It returns nil where all of them have requests under way.
func (l *Limit) oldest(addr netip.Addr, same bool) (*conn, Cause) {
	fits := func(c *conn) bool { return !same || c.addr == addr }
	waiting, idle := l.waiting.count(fits), l.idle.count(fits)
	if waiting > 0 && waiting >= idle {
		return l.waiting.first(fits), Waiting
	}
	return l.idle.first(fits), Idle
}

// dismiss forgets c, which is to be closed. Its server may take a while to let go
// of it: net/http sleeps for half a second behind an answer 431, with some 20 KiB.
// Who sends one too large header after another would have thousands of these, so
// an address with an eighth of all connections leaving gets no other. The caller
// holds the lock. Nil is nobody.
func (l *Limit) dismiss(c *conn) {
	if c == nil {
		return
	}
	c.leaving = true
	c.from.leaving++
	l.remove(c)
}

// ended forgets c, which its server has closed. The caller holds the lock.
func (l *Limit) ended(c *conn) {
	if !c.gone {
		l.remove(c)
	}
	l.next(c)
	if c.leaving {
		c.leaving = false
		c.from.leaving--
		l.forget(c)
	}
}

// remove forgets c. The caller holds the lock.
func (l *Limit) remove(c *conn) {
	c.gone = true
	c.unlink()
	l.forgetHeader(c)
	c.leaveLine()
	l.open--
	c.from.open.Add(-1)
	if s := c.http2.Load(); s != nil {
		delete(l.sessions, s)
		l.leave(s, false)
		close(s.gone)
	}
	l.forget(c)
}

// forget lets go of c's address where nothing is left of it.
func (l *Limit) forget(c *conn) {
	if a := c.from; a.open.Load() == 0 && a.weight.Load() == 0 && a.leaving == 0 && a.large == nil && a.knownLarge == nil && l.addresses[c.addr] == a {
		delete(l.addresses, c.addr)
	}
}

func (l *Limit) forgetHeader(c *conn) {
	l.header -= c.header
	c.header = 0
	if c.large {
		c.large = false
		l.next(c)
	}
}

// evict closes a connection that was removed; none if it is nil.
func (l *Limit) evict(c *conn, cause Cause) {
	if c != nil {
		_ = c.Conn.Close() // its server finds out by itself
		l.closed(cause, c.addr)
	}
}
