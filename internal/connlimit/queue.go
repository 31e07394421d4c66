package connlimit

// A queue is a ring of connections, the oldest first. Its links are in the
// connections: each request moves one, and none of that may allocate.
type queue struct{ root conn }

func (q *queue) init() { q.root.next, q.root.prev = &q.root, &q.root }

// push puts c, which stands in no queue, at the end.
func (q *queue) push(c *conn) {
	last := q.root.prev
	last.next, c.prev, c.next, q.root.prev = c, last, &q.root, c
}

// unlink takes c out of its queue, if it stands in one.
func (c *conn) unlink() {
	if c.next != nil {
		c.prev.next, c.next.prev = c.next, c.prev
		c.next, c.prev = nil, nil
	}
}

// first returns the oldest that fits, or nil.
func (q *queue) first(fits func(*conn) bool) *conn {
	for c := q.root.next; c != &q.root; c = c.next {
		if fits(c) {
			return c
		}
	}
	return nil
}

// count returns how many fit.
func (q *queue) count(fits func(*conn) bool) (n int) {
	for c := q.root.next; c != &q.root; c = c.next {
		if fits(c) {
			n++
		}
	}
	return n
}

// heaviest returns the one with the most of an unfinished header, of several the
// oldest; nil if the queue is empty.
func (q *queue) heaviest() *conn {
	var most *conn
	for c := q.root.next; c != &q.root; c = c.next {
		most = heaviest(most, c)
	}
	return most
}

func heaviest(a, b *conn) *conn {
	if a == nil || b != nil && b.header > a.header {
		return b
	}
	return a
}
