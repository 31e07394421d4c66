// Package garbage says when garbage is collected: not before there is some.
//
// Go collects when the heap has 4 MiB, or twice what the last collection left where that
// is more (GOGC=100). Of a gate that is 1 to 4 MiB, so that a busy one collects ten
// times a second and more, and spends a tenth of its time on it.
package garbage

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
)

// usual is GOGC's default: the percentage of what a collection left by which the heap
// grows before the next one.
const usual = 100

// most is the greatest percentage. With it a heap has 8 MiB at least. What is left may
// grow a lot at once, and only after the next collection is that known.
const most = 200

// A Pacer lets the heap grow to a size before garbage is collected, but not by more than
// twice of what Go would let it. Where Go lets it grow above that, it is as ever.
type Pacer struct {
	least   uint64
	set     func(percent int)
	percent int
	over    atomic.Bool
}

// Pace has this process's heap grow to least bytes. It looks at what is left after each
// collection, which is done by the goroutine for finalizers.
func Pace(least uint64) *Pacer {
	p := &Pacer{least: least, percent: usual, set: func(percent int) { debug.SetGCPercent(percent) }}
	p.watch(&cycle{p})
	return p
}

// Stop has Go collect as usual, from the next collection on.
func (p *Pacer) Stop() { p.over.Store(true) }

// A cycle is garbage from its beginning, so that its finalizer runs once a collection.
type cycle struct{ *Pacer }

func (p *Pacer) watch(c *cycle) {
	runtime.SetFinalizer(c, func(c *cycle) {
		if p.over.Load() {
			p.set(usual)
			return
		}
		p.look(left())
		p.watch(c)
	})
}

// look changes the percentage where so many bytes were left, and so many looked
// through beside them, unless it would be nearly what it was: to change it stops
// everything for a moment. The heap grows by a percentage of both (runtime, mgcpacer.go).
func (p *Pacer) look(left, roots uint64) {
	percent := usual
	if left < p.least {
		percent = min(most, max(usual, int((p.least-left)*100/max(left+roots, 1<<20))))
	}
	if d := percent - p.percent; percent == p.percent || percent != usual && d*d*25 < p.percent*p.percent {
		return
	}
	p.percent = percent
	p.set(percent)
}

// left is what the last collection left of the heap, and what stacks and variables it
// looked through, in bytes.
func left() (heap, roots uint64) {
	s := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/scan/stack:bytes"}, {Name: "/gc/scan/globals:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64(), s[1].Value.Uint64() + s[2].Value.Uint64()
}
