package connlimit

import (
	"cmp"
	"slices"
	"time"
)

const (
	// handingOut is how long net/http may have what it read without asking for
	// more. It needs microseconds, but never asks again on a connection that it is
	// about to give up.
	handingOut = 50 * time.Millisecond
	// patience is how long somebody waits until one who does not take answers has
	// to go. Others' round trips are shorter, with a packet lost on the way.
	patience = time.Second
)

// bring waits until there is room for what n bytes that were read may begin. It
// reports whether c is still open.
func (l *Limit) bring(c *conn, n int) bool {
	l.mu.Lock()
	if c.gone {
		l.mu.Unlock()
		return false
	}
	c.read, c.brings = time.Now(), 1 // without TLS net/http reads frame by frame
	if c.tls {
		c.brings = min(n/leastHeaders+1, l.streams)
	}
	if l.room(c.from) {
		l.let(c)
		l.mu.Unlock()
		return true
	}
	on := make(chan bool, 1)
	c.on = on
	l.waiters = append(l.waiters, c)
	l.queued.Store(true)
	l.letOn() // whoever made room until now did not look
	if !l.ticking && len(l.waiters) > 0 {
		l.ticking = true
		time.AfterFunc(handingOut, l.tick)
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

// let notes that what c has read goes on.
func (l *Limit) let(c *conn) {
	c.came.Store(int64(c.brings))
	l.weigh(c, c.brings*running)
}

// letOn lets those go on who wait, while there is room for them.
func (l *Limit) letOn() {
	defer func() { l.queued.Store(len(l.waiters) > 0) }()
	for l.weight.Load() < allRoom {
		var first *conn
		for _, c := range l.waiters {
			if l.room(c.from) && (first == nil || c.before(first)) {
				first = c
			}
		}
		if first == nil {
			return
		}
		l.leave(first, true)
		l.let(first)
	}
}

// before orders those who wait: first whose address has least under way, then who
// has waited too long, then who has least itself, then who came first.
func (c *conn) before(d *conn) bool {
	if n := cmp.Compare(c.from.weight.Load(), d.from.weight.Load()); n != 0 {
		return n < 0
	}
	if c.late != d.late {
		return c.late
	}
	return cmp.Or(cmp.Compare(c.weight.Load(), d.weight.Load()), c.read.Compare(d.read)) < 0
}

// leave ends c's wait, if it waits.
func (l *Limit) leave(c *conn, open bool) {
	if c.on == nil {
		return
	}
	l.waiters = slices.DeleteFunc(l.waiters, func(d *conn) bool { return d == c })
	c.on <- open
	c.on, c.late = nil, false
}

// tick looks now and then after those who wait: what they wait for may not end by
// itself.
func (l *Limit) tick() {
	l.mu.Lock()
	now := time.Now()
	var over []*conn
	for c := range l.http2 {
		if c.came.Load() > 0 && now.Sub(c.read) > handingOut {
			over = append(over, c)
		}
	}
	var victim *conn
	for _, c := range l.waiters {
		if c.late = now.Sub(c.read) >= patience; c.late && victim == nil {
			victim = l.slowest(c)
		}
	}
	if victim != nil {
		l.dismiss(victim)
	}
	if l.ticking = len(l.waiters) > 0; l.ticking {
		time.AfterFunc(handingOut, l.tick)
	}
	l.mu.Unlock()
	for _, c := range over {
		l.handedOut(c)
	}
	l.evict(victim, Untaken)
}

// slowest finds who leaves most answers untaken, of c's address where that has no
// room, and else of all. It returns nil where nobody leaves any.
func (l *Limit) slowest(c *conn) (slowest *conn) {
	most := int64(0)
	for d := range l.http2 {
		if n := d.untaken.Load(); (d.from == c.from || !c.from.full()) && n > most {
			slowest, most = d, n
		}
	}
	return slowest
}
