package telemetry

import (
	"sync"
	"time"
)

func newClosed(causes []string) *counters[string] {
	return newListed("sallyport_connections_closed_total",
		"Connections that a limit closed, by why it was they.", "cause", causes)
}

func newRefused(kinds []string) *counters[string] {
	return newListed("sallyport_requests_refused_total",
		"Requests for which there was no place, by what was known of them.", "kind", kinds)
}

// newListed returns counters of one label, which all exist from the start.
func newListed(name, help, label string, values []string) *counters[string] {
	c := newCounters(name, help, []string{label}, closedList(values...).one,
		func(k string) []string { return []string{k} })
	for _, v := range values {
		c.get(v)
	}
	return c
}

// ConnectionClosed counts a connection that a limit closed; see
// [Options].ConnectionCauses.
func (m *Metrics) ConnectionClosed(cause string) { m.closed.get(cause).Inc() }

// RequestRefused counts a request for which there was no place; see
// [Options].RequestKinds.
func (m *Metrics) RequestRefused(kind string) { m.refused.get(kind).Inc() }

// tallyInterval is often enough to see that something lasts, and seldom enough
// that a flood leaves a log to read.
const tallyInterval = 10 * time.Second

// A Tally speaks of what may happen ten thousand times a second: at once when it
// happens first, and then at most every ten seconds.
type Tally struct {
	say func(count int, last string)

	mu    sync.Mutex
	last  time.Time
	count int
}

// NewTally returns a tally that calls say with how often it happened since the
// last call, and to whom it happened last.
func NewTally(say func(count int, last string)) *Tally { return &Tally{say: say} }

// Add counts one more, which happened to who.
func (t *Tally) Add(who string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.count++
	now := time.Now()
	if !t.last.IsZero() && now.Sub(t.last) < tallyInterval {
		return
	}
	t.say(t.count, who)
	t.last, t.count = now, 0
}
