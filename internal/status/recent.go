package status

import (
	"context"
	"sync"
	"time"
)

const (
	// slot is the width of a column of the chart, and slots is how many there are:
	// 15 minutes.
	slot  = 30 * time.Second
	slots = 30
	// maxRefusals is how many refusals are kept to be shown.
	maxRefusals = 20
)

// A Recent remembers the last 15 minutes. It looks at totals now and then, so that
// a decision costs nothing more for it.
type Recent struct {
	totals func() Counts

	mu       sync.Mutex
	columns  []column  // the oldest first, the last under way
	refusals []Refusal // the oldest first
}

// A column is the totals when a slot began.
type column struct {
	from   time.Time
	totals Counts
}

// NewRecent returns a Recent that asks totals, which must be fast.
func NewRecent(totals func() Counts) *Recent {
	r := &Recent{totals: totals}
	r.look(time.Now())
	return r
}

// Run looks until ctx ends.
func (r *Recent) Run(ctx context.Context) error {
	ticker := time.NewTicker(slot)
	defer ticker.Stop()
	for {
		select {
		case now := <-ticker.C:
			r.look(now)
		case <-ctx.Done():
			return nil
		}
	}
}

func (r *Recent) look(now time.Time) {
	t := r.totals()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.columns = append(r.columns, column{now, t})
	r.columns = r.columns[max(0, len(r.columns)-slots):]
}

// Slots returns the last 15 minutes; the last slot is not over.
func (r *Recent) Slots() []Slot {
	now := r.totals()
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]Slot, len(r.columns))
	for i, c := range r.columns {
		next := now
		if i+1 < len(r.columns) {
			next = r.columns[i+1].totals
		}
		all[i] = Slot{c.from, Counts{
			next.Accepted - c.totals.Accepted, next.Refused - c.totals.Refused, next.Unavailable - c.totals.Unavailable,
		}}
	}
	return all
}

// Refuse remembers a refusal.
func (r *Recent) Refuse(f Refusal) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.refusals) == maxRefusals {
		copy(r.refusals, r.refusals[1:])
		r.refusals = r.refusals[:maxRefusals-1]
	}
	r.refusals = append(r.refusals, f)
}

// Refusals returns the last few, the newest first.
func (r *Recent) Refusals() []Refusal {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]Refusal, 0, len(r.refusals))
	for i := len(r.refusals) - 1; i >= 0; i-- {
		all = append(all, r.refusals[i])
	}
	return all
}
