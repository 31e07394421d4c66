package loopback

import (
	"sync"
	"time"
)

// idle are the connections that wait for their next request. The one that came
// last goes first: then the others grow old, and go.
type idle struct {
	max     int
	timeout time.Duration

	mu    sync.Mutex
	conns []*conn // by when they came
	timer *time.Timer
	armed bool // the timer is on its way
}

// put keeps c, or closes it where there is no room.
func (i *idle) put(c *conn) {
	c.idled = time.Now()
	i.mu.Lock()
	defer i.mu.Unlock()
	if len(i.conns) >= i.max || i.timeout <= 0 {
		c.hangUp()
		return
	}
	i.conns = append(i.conns, c)
	i.arm(i.timeout)
}

// take returns a connection on which nothing lies, or nil.
func (i *idle) take() *conn {
	now := time.Now()
	for {
		c := i.last()
		if c == nil {
			return nil
		}
		if now.Sub(c.idled) < i.timeout && c.isQuiet() {
			return c
		}
		c.hangUp()
	}
}

func (i *idle) last() *conn {
	i.mu.Lock()
	defer i.mu.Unlock()
	n := len(i.conns) - 1
	if n < 0 {
		return nil
	}
	c := i.conns[n]
	i.conns[n] = nil
	i.conns = i.conns[:n]
	return c
}

// sweep closes those that have waited for too long.
func (i *idle) sweep() {
	now := time.Now()
	i.mu.Lock()
	defer i.mu.Unlock()
	i.armed = false
	old := 0
	for ; old < len(i.conns) && now.Sub(i.conns[old].idled) >= i.timeout; old++ {
		i.conns[old].hangUp()
	}
	rest := copy(i.conns, i.conns[old:])
	clear(i.conns[rest:])
	i.conns = i.conns[:rest]
	if rest > 0 {
		i.arm(i.timeout - now.Sub(i.conns[0].idled))
	}
}

// arm needs i.mu. There is one timer for all, and none for a request.
func (i *idle) arm(d time.Duration) {
	switch {
	case i.armed:
		return
	case i.timer == nil:
		i.timer = time.AfterFunc(d, i.sweep)
	default:
		i.timer.Reset(d)
	}
	i.armed = true
}

func (i *idle) close() {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, c := range i.conns {
		c.hangUp()
	}
	i.conns = nil
}
