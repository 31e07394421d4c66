package browser

import (
	"slices"
	"sync"
	"time"
)

// kept bounds what is remembered of /status to two seconds at the least, at a pause
// each: an old page is a wrong one.
const kept = int(2 * time.Second / pause)

// A hearing is what /status has said last.
type hearing struct {
	end  chan struct{}
	done sync.WaitGroup

	mu   sync.Mutex
	said []shown
	err  error
}

// hear reads /status again and again, until it is stopped or fails.
func (d *played) hear() *hearing {
	h := &hearing{end: make(chan struct{})}
	h.done.Go(func() {
		for tick := time.Tick(pause); h.hears(d); {
			select {
			case <-tick:
			case <-h.end:
				return
			}
		}
	})
	return h
}

func (h *hearing) hears(d *played) bool {
	s, err := d.ask()
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.err = err; err != nil {
		return false
	}
	h.said = append(h.said[max(0, len(h.said)-kept+1):], wanted(s))
	return true
}

// knows reports whether a page shows what was said.
func (h *hearing) knows(page shown) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.ContainsFunc(h.said, func(s shown) bool { return same(s, page) })
}

// stop ends it, and returns why it has ended before.
func (h *hearing) stop() error {
	close(h.end)
	h.done.Wait()
	return h.err
}
