package fairqueue

import (
	"math"
	"time"
)

// A bucket holds up to burst grants and gains one every interval. It counts in
// whole nanoseconds, as a sum of fractions would drift, and keeps one instant
// instead of a level: when it will be full again (the "generic cell rate
// algorithm" of ITU-T I.371).
type bucket struct {
	interval time.Duration
	span     time.Duration // how far ahead of now full may be for a grant
	full     time.Time
}

// newBucket returns a full bucket. The interval is rounded up: never more than
// rate.
func newBucket(rate float64, burst int) bucket {
	interval := time.Duration(math.Ceil(float64(time.Second) / rate))
	return bucket{interval: interval, span: time.Duration(burst-1) * interval}
}

// wait is how long it takes from now until a grant may be taken, and zero when
// one may be taken at once.
func (b *bucket) wait(now time.Time) time.Duration {
	return max(0, b.full.Add(-b.span).Sub(now))
}

// take takes n grants. Those that are not there are owed.
func (b *bucket) take(now time.Time, n int) {
	if b.full.Before(now) {
		b.full = now
	}
	b.full = b.full.Add(time.Duration(n) * b.interval)
}

// mostOwed is how many grants may be owed: more than the calls of one moment are worth,
// and few enough to be waited for, as hundreds that waited for the same answer end
// together.
const mostOwed = 64

// owe takes n grants, or as many as may be owed.
func (b *bucket) owe(now time.Time, n int) {
	b.take(now, n)
	if most := now.Add(b.span + (1+mostOwed)*b.interval); b.full.After(most) {
		b.full = most
	}
}
