package fairqueue

import (
	"container/list"
	"net/netip"
	"slices"
	"time"
)

// A waiter is one call that waits.
type waiter struct {
	addr netip.Addr
	turn func(error) // called once: when its turn has come, or with why none comes
	late *time.Timer // until none comes any more; set while it waits
}

// turns are those who wait: a line for every address, and the addresses in the
// order of their turns. Every address in it has somebody in its line.
type turns struct {
	addresses, perAddress int
	lines                 map[netip.Addr]*list.Element
	order                 *list.List // of *line, the next one in front
}

type line struct {
	addr    netip.Addr
	waiters []*waiter
}

func newTurns(addresses, perAddress int) turns {
	return turns{
		addresses:  addresses,
		perAddress: perAddress,
		lines:      map[netip.Addr]*list.Element{},
		order:      list.New(),
	}
}

func (t *turns) empty() bool { return t.order.Len() == 0 }

// push puts w at the end of its address's line, or reports that there is no place.
// A new address has the last turn of the round.
func (t *turns) push(w *waiter) bool {
	e, ok := t.lines[w.addr]
	if !ok {
		if len(t.lines) >= t.addresses {
			return false
		}
		e = t.order.PushBack(&line{addr: w.addr})
		t.lines[w.addr] = e
	}
	l := e.Value.(*line)
	if len(l.waiters) >= t.perAddress {
		return false
	}
	l.waiters = append(l.waiters, w)
	return true
}

// pop takes out the first waiter of the address whose turn it is, and the turn
// passes on.
func (t *turns) pop() *waiter {
	e := t.order.Front()
	w := e.Value.(*line).waiters[0]
	t.order.MoveToBack(e)
	t.cut(e, 0)
	return w
}

// remove takes w out and reports whether it was still waiting.
func (t *turns) remove(w *waiter) bool {
	e, ok := t.lines[w.addr]
	if !ok {
		return false
	}
	i := slices.Index(e.Value.(*line).waiters, w)
	if i < 0 {
		return false
	}
	t.cut(e, i)
	return true
}

// cut takes the i-th waiter out of e's line, and the line out when it is empty.
func (t *turns) cut(e *list.Element, i int) {
	l := e.Value.(*line)
	l.waiters = slices.Delete(l.waiters, i, i+1)
	if len(l.waiters) == 0 {
		t.order.Remove(e)
		delete(t.lines, l.addr)
	}
}
