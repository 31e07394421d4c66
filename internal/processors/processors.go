// Package processors has Go run on as many processors as the work needs, and on one
// while that is enough.
//
// Where there are others, whatever becomes ready has Go wake a thread for one of
// them, which looks around, finds nothing and sleeps again. A gate with a few thousand
// requests a second wakes up for each, and a third of its time would go there.
package processors

import (
	"context"
	"runtime"
	"syscall"
	"time"
)

const (
	// tick is how long a burst may have to make do with too few, and how often a
	// gate wakes up that has nothing else to do.
	tick = 200 * time.Millisecond
	// enough is the part of the time of all processors in use that may be taken
	// before there are more. What is left is for bursts within a tick. With two
	// processors one connection keeps 0.8 of one busy, and 0.6 where there is only one.
	enough = 0.85
	// calm is for how many ticks in a row half as many must have been enough before
	// it is half as many: to change the number stops everything for a moment.
	calm = 5
)

// A Governor says how many there are.
type Governor struct {
	used func() (time.Duration, error) // the processors' time that was taken since the start
	most func() int                    // how many there may be
	set  func(int)

	now, calm int
}

// New returns a governor of this process. Until it runs nothing changes.
func New() *Governor {
	return &Governor{used: used, most: most, set: func(n int) { runtime.GOMAXPROCS(n) }}
}

// Run changes the number of processors as the load changes, until ctx ends; then it
// is what Go chooses. The error is the system's, which does not say what is used.
func (g *Governor) Run(ctx context.Context) error {
	g.now = g.most()
	before, err := g.used()
	if err != nil {
		return err
	}
	defer g.most()
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for last := time.Now(); ; {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		used, err := g.used()
		if err != nil {
			return err
		}
		now := time.Now()
		g.look(float64(used-before) / float64(now.Sub(last)))
		before, last = used, now
	}
}

// look changes the number of processors where so many were busy in the last tick.
func (g *Governor) look(busy float64) {
	half := max(1, g.now/2)
	g.calm++
	if busy >= enough*float64(half) {
		g.calm = 0
	}
	switch {
	case busy >= enough*float64(g.now):
		most := g.most() // a container's limit may change
		if g.now = min(2*g.now, most); g.now < most {
			g.set(g.now)
		}
	case g.calm >= calm && half < g.now:
		g.now, g.calm = half, 0
		g.set(g.now)
	}
}

// most has Go use what it chooses by itself, from the machine and the container's
// limit, and returns that.
func most() int {
	runtime.SetDefaultGOMAXPROCS()
	return runtime.GOMAXPROCS(0)
}

func used() (time.Duration, error) {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0, err
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), nil
}
