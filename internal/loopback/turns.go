package loopback

import (
	"runtime"
	"sync/atomic"
	"time"
)

const (
	// patience is what a request may wait for its turn, for itself and for each that
	// came meanwhile. Where both cores are busy with requests, one comes every 40 us.
	patience = 500 * time.Microsecond
	// inHurry is how many do not wait after one that did so in vain: of a hundred who
	// call during a flood, less than one has to wait behind it.
	inHurry = 256
)

// Turns have requests that are ready together written behind each other: an app that
// sleeps wakes up once for them, and not for each.
type turns struct {
	came  atomic.Int64 // requests
	hurry atomic.Int64 // how many of the next ones do not wait
}

// wait lets all that Go has ready come as far as itself. If these are others, as in a
// flood of requests that are refused, it is not done again for a while.
func (t *turns) wait() {
	came := t.came.Add(1)
	if t.hurry.Load() > 0 {
		t.hurry.Add(-1)
		return
	}
	begun := time.Now()
	runtime.Gosched()
	if took := time.Since(begun); took > patience*time.Duration(1+t.came.Load()-came) {
		t.hurry.Store(inHurry)
	}
}
