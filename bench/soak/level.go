package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"

	"sallyport/bench/gate"
)

// A level is what a gate holds.
type level struct {
	goroutines, files, threads int
	// heap is what is reachable, and garbage where that was not collected; rss all of
	// the memory, in bytes.
	heap, rss int64
	// tokens are those that it remembers, connections its callers', and requests
	// those under way.
	tokens, connections, requests int
	// collected is when its garbage was last collected, in seconds since 1970.
	collected float64
}

// A gauge reads levels, over one connection.
type gauge struct {
	gate   *gate.Gate
	client *http.Client
}

func newGauge(g *gate.Gate) *gauge {
	return &gauge{g, &http.Client{Transport: &http.Transport{}, Timeout: answerTimeout}}
}

// read reads the level of now. Its heap has garbage in it.
func (g *gauge) read(ctx context.Context) (l level, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+g.gate.Admin+"/metrics", nil)
	if err != nil {
		return l, err
	}
	resp, err := g.client.Do(req)
	if err != nil {
		return l, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return l, err
	}
	if l, err = parse(string(text)); err != nil {
		return l, err
	}
	held, err := g.gate.Held()
	if err != nil {
		return l, err
	}
	used, err := g.gate.Usage()
	l.files, l.threads, l.rss = held.Files, held.Threads, used.RSS
	return l, err
}

// parse takes what it needs from metrics.
func parse(text string) (l level, err error) {
	values := map[string]float64{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), " "); ok && name != "#" {
			if values[name], err = strconv.ParseFloat(value, 64); err != nil {
				return l, fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	take := func(name string) float64 {
		v, ok := values[name]
		if !ok {
			err = fmt.Errorf("the gate has no metric %s", name)
		}
		return v
	}
	l.goroutines = int(take("go_goroutines"))
	l.heap = int64(take("go_memstats_heap_alloc_bytes"))
	l.collected = take("go_memstats_last_gc_time_seconds")
	l.tokens = int(take("sallyport_cache_entries"))
	l.connections = int(take("sallyport_connections"))
	l.requests = int(take("sallyport_in_flight_requests"))
	return l, err
}

const (
	// collections is how often garbage is collected until nothing is left of it
	// that pools hold back: they give up what was not used between two of them.
	collections = 3
	// scrapes bounds the requests that make it so. Each leaves 100 to 200 KiB behind,
	// and a collection begins when the heap has 12 MiB: with the one that is waited for
	// at first, and the one at the end, that is five times 120 at the most.
	scrapes = 1000
)

// collect reads the level until nothing but what is reachable is left of the heap.
func (g *gauge) collect(ctx context.Context) (level, error) {
	return reachable(func() (level, error) { return g.read(ctx) })
}

// reachable reads until the collection after the last, and returns that level with the
// least heap since the last: what a collection found dead counts as heap until it has
// been swept (runtime.MemStats, HeapAlloc), which Go does in the scrapes after it.
func reachable(read func() (level, error)) (level, error) {
	seen, last := -1, 0.0 // the first look is at a collection of before
	least := int64(math.MaxInt64)
	for range scrapes {
		l, err := read()
		if err != nil {
			return l, err
		}
		if l.collected != last {
			seen, last = seen+1, l.collected
		}
		switch {
		case seen == collections:
			least = min(least, l.heap)
		case seen > collections:
			l.heap = least
			return l, nil
		}
	}
	return level{}, fmt.Errorf("the gate's garbage was not collected %d times in %d scrapes", collections+1, scrapes)
}
