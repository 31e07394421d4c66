package connlimit

import (
	"cmp"
	"slices"
	"time"
)

// Each request under way on HTTP/2 is a goroutine of net/http's, which costs some
// 20 KB, and any connection can start as many as it may have streams. So what they
// weigh is bounded, with what they hold: where there is no room, the next one's header
// waits before net/http sees it. HTTP/1 weighs nothing, as a connection has one request,
// and connections are bounded.
//
// One that runs without a place weighs two: one for its stream, one for its handler. An
// answer that waits to be written has lost its handler, and weighs less, as the frames
// that would let it be written may wait too.
//
// What runs ends by itself, and soon: who waits for more than a processor has a
// place of package inflight's meanwhile, and weighs nothing. An answer ends when
// its caller takes it, so somebody who does not may have to go.
const (
	// addressRoom is for one address: 64 requests that run, more than processors are
	// busy with, or 128 answers. They cost 2 to 3 MB. With twice as much, a flood of
	// forged tokens takes 4 MB more, and is answered more slowly.
	addressRoom = 128
	// allRoom is for all together. The last quarter of it is for addresses that
	// have little under way: three who take all they can get do not keep everybody
	// else waiting.
	allRoom  = 4 * addressRoom
	lastRoom = allRoom / 4
	little   = 2 * 16 // 16 requests that run
)

const (
	// patience is how long somebody waits until one who does not take answers has
	// to go. Others' round trips are shorter, with a packet lost on the way.
	patience = time.Second
	// look is the pause between two looks for such a one: so at most twenty of them
	// go in a second.
	look = 50 * time.Millisecond
)

// weigh adds to what c weighs, and lets others go on where that makes room. It
// needs no lock: nobody may wait uncounted.
func (l *Limit) weigh(c *conn, n int) {
	if n == 0 {
		return
	}
	all, from := l.weight.Add(int64(n)), c.from.weight.Add(int64(n))
	left := from == 0 && c.from.open.Load() == 0
	if n < 0 && (left || l.queued.Load() && all < allRoom) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.forget(c)
		l.letOn()
	}
}

// bring waits until there is room for what a stream of s is to hold. It reports whether
// the connection is still open.
func (l *Limit) bring(s *session, stream uint32, bytes int) bool {
	l.mu.Lock()
	if s.conn.gone {
		l.mu.Unlock()
		return false
	}
	if l.room(s.conn.from) {
		s.hold(stream, bytes)
		l.mu.Unlock()
		return true
	}
	on := make(chan bool, 1)
	s.next, s.more, s.since, s.on = stream, bytes, time.Now(), on
	l.waiters = append(l.waiters, s)
	l.queued.Store(true)
	l.letOn() // whoever made room until now did not look
	if !l.ticking && len(l.waiters) > 0 {
		l.ticking = true
		time.AfterFunc(look, l.tick)
	}
	l.mu.Unlock()
	return <-on
}

// room reports whether there is room for what comes from a. On a unix socket there
// are no addresses, and none is full.
func (l *Limit) room(a *address) bool {
	all, own := l.weight.Load(), a.weight.Load()
	return all < allRoom && (own < little || all < allRoom-lastRoom) && !a.full()
}

func (a *address) full() bool { return a.bounded && a.weight.Load() >= addressRoom }

// letOn lets those go on who wait, while there is room for them.
func (l *Limit) letOn() {
	defer func() { l.queued.Store(len(l.waiters) > 0) }()
	for l.weight.Load() < allRoom {
		var first *session
		for _, s := range l.waiters {
			if l.room(s.conn.from) && (first == nil || s.before(first)) {
				first = s
			}
		}
		if first == nil {
			return
		}
		first.hold(first.next, first.more)
		l.leave(first, true)
	}
}

// before orders those who wait: first whose address has least under way, then whose
// caller is known, as others may wait for each other's answers to be taken, then who has
// waited too long, then who has least itself, then who came first.
func (s *session) before(t *session) bool {
	if n := cmp.Compare(s.conn.from.weight.Load(), t.conn.from.weight.Load()); n != 0 {
		return n < 0
	}
	if known := s.conn.known.Load(); known != t.conn.known.Load() {
		return known
	}
	if s.late != t.late {
		return s.late
	}
	return cmp.Or(cmp.Compare(s.weight.Load(), t.weight.Load()), s.since.Compare(t.since)) < 0
}

// leave ends s's wait, if it waits.
func (l *Limit) leave(s *session, open bool) {
	if s.on == nil {
		return
	}
	l.waiters = slices.DeleteFunc(l.waiters, func(t *session) bool { return t == s })
	s.on <- open
	s.on, s.late = nil, false
}

// tick looks now and then after those who wait: what they wait for may not end by
// itself.
func (l *Limit) tick() {
	l.mu.Lock()
	now := time.Now()
	var victim *conn
	for _, s := range l.waiters {
		if s.late = now.Sub(s.since) >= patience; s.late && victim == nil {
			victim = l.slowest(s.conn.from)
		}
	}
	l.dismiss(victim)
	if l.ticking = len(l.waiters) > 0; l.ticking {
		time.AfterFunc(look, l.tick)
	}
	l.mu.Unlock()
	l.evict(victim, Untaken)
}

// slowest finds who leaves most answers untaken, of an address where that has no
// room, and else of all. It returns nil where nobody leaves any.
func (l *Limit) slowest(a *address) (slowest *conn) {
	most := 0
	for s := range l.sessions {
		if s.conn.from != a && a.full() {
			continue
		}
		if n := s.untaken(); n > most {
			slowest, most = s.conn, n
		}
	}
	return slowest
}
