package filewatch

import (
	"context"
	"time"
)

const (
	// Interval is between two reads. A change is to be in force within 1 s:
	// half of it leaves the other half for a slow disk and a busy machine, and
	// reading a file of a few KB twice a second costs nothing one can measure.
	Interval = 500 * time.Millisecond
	// gap is the least time between two reads, whatever hints there are. It
	// bounds the work that a writer in a loop can cause, and nobody notices it
	// in a second.
	gap = 50 * time.Millisecond
)

// Poll calls read at once, then every Interval, and sooner after a value on
// hints or wake, until ctx is done. Then it returns nil. Either channel may be
// nil. Values that come together cause one read.
func Poll(ctx context.Context, read func(), hints, wake <-chan struct{}) error {
	tick := time.NewTicker(Interval)
	defer tick.Stop()
	for {
		read()
		if !pause(ctx) {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-wake:
		case _, open := <-hints:
			if !open {
				hints = nil // else it would be ready for ever
			}
		}
	}
}

// pause waits for gap, and reports whether ctx is not done.
func pause(ctx context.Context) bool {
	t := time.NewTimer(gap)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
