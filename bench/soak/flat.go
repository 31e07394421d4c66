package main

import (
	"fmt"
	"maps"
	"slices"
)

// A flatness holds the levels at rest against that after the warm-up, and each
// phase's against those of the same phase before.
type flatness struct {
	base   level
	levels map[string][]level // by phase, in the order of time
	broken []string
}

// margins are what the levels at rest may be above the first one.
//
// A connection to the API server whose CA was replaced during a call stays until it
// has been idle for 90 s, with a descriptor and up to three goroutines: certificates
// rotate while reviews and fetches are under way, so a few may be there. What leaks
// with each call, connection, rotation or fault is tens or thousands.
const (
	moreFiles      = 6
	moreGoroutines = 20
	// The runtime keeps a thread for each that was ever blocked at a time, on files
	// above all, and ends none.
	moreThreads = 12
	// moreHeap is for maps that have grown, refusals that are remembered (4,096 at
	// most, some 200 bytes each), and a collection that began in between.
	moreHeap = 3 << 20
	// perToken is what a remembered token takes. There may be 16,384 of them, or 8
	// MiB; a newcomer's stays until there are more.
	perToken = 1 << 10
	// mostRSS is what a gate may take after any amount of garbage, in bytes, as in
	// the benchmark of floods. What it remembers comes on top, twice: the heap grows
	// to double of what is reachable before garbage is collected.
	mostRSS = 40 << 20
)

// growth is what the levels after a phase may be above those after the same phase in
// the first cycle, in the middle of all phases. It is nothing but for noise, and for
// the refusals that fill their places in the first cycle.
const (
	growthFiles      = 2
	growthGoroutines = 2
	growthThreads    = 2
	growthHeap       = 1 << 20
)

func (f *flatness) say(format string, args ...any) {
	f.broken = append(f.broken, fmt.Sprintf(format, args...))
}

// add notes a level at rest, and says what is wrong with it.
func (f *flatness) add(phase string, l level) {
	if f.levels == nil {
		f.levels = map[string][]level{}
	}
	f.levels[phase] = append(f.levels[phase], l)
	b := f.base
	at := func(what string, is, was, more int) {
		if is > was+more {
			f.say("after %s: %d %s, more than %d and %d", phase, is, what, was, more)
		}
	}
	at("connections of callers", l.connections, 0, 0)
	at("requests under way", l.requests, 0, 0)
	at("descriptors", l.files, b.files, moreFiles)
	at("goroutines", l.goroutines, b.goroutines, moreGoroutines)
	at("threads", l.threads, b.threads, moreThreads)
	if heap, was := l.own(), b.own(); heap > was+moreHeap {
		f.say("after %s: %.1f MiB of heap, more than %.1f and %.1f", phase, mib(heap), mib(was), mib(moreHeap))
	}
	if most := mostRSS + 2*int64(l.tokens)*perToken; l.rss > most {
		f.say("after %s: %.1f MiB of memory, more than %.1f", phase, mib(l.rss), mib(most))
	}
}

// own is the heap without the tokens that are remembered.
func (l level) own() int64 { return l.heap - int64(l.tokens)*perToken }

// grown says what has become more from the first cycle to the last. Of one cycle
// there is nothing to say.
func (f *flatness) grown() (files, goroutines, threads, heap int64, ok bool) {
	middle := func(of func(level) int64) int64 {
		var all []int64
		for _, name := range slices.Sorted(maps.Keys(f.levels)) {
			if l := f.levels[name]; len(l) > 1 {
				all = append(all, of(l[len(l)-1])-of(l[0]))
			}
		}
		if len(all) == 0 {
			return 0
		}
		ok = true
		slices.Sort(all)
		return all[len(all)/2]
	}
	files = middle(func(l level) int64 { return int64(l.files) })
	goroutines = middle(func(l level) int64 { return int64(l.goroutines) })
	threads = middle(func(l level) int64 { return int64(l.threads) })
	heap = middle(level.own)
	return files, goroutines, threads, heap, ok
}

// trend says whether anything goes up.
func (f *flatness) trend() {
	files, goroutines, threads, heap, _ := f.grown()
	for _, g := range []struct {
		what     string
		is, most int64
	}{
		{"descriptors", files, growthFiles}, {"goroutines", goroutines, growthGoroutines},
		{"threads", threads, growthThreads}, {"bytes of heap", heap, growthHeap},
	} {
		if g.is > g.most {
			f.say("from the first cycle to the last: %d more %s, and %d are noise", g.is, g.what, g.most)
		}
	}
}

func mib(n int64) float64 { return float64(n) / (1 << 20) }
