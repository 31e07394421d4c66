package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"sallyport/bench/gate"
	"sallyport/bench/load"
	"sallyport/bench/world"
)

const (
	attackers = 16 // connections
	callers   = 10
	rotating  = 3 // of them: their tokens change while they call
	rotations = 3 // tokens each has in one measurement
	callRate  = 50.0
	newcomers = 5
	// caller is the address that well-behaved callers call from.
	caller = "127.0.0.1"
	// floodPath is what floods ask for, and publicPath needs no token.
	floodPath, publicPath = "/flood", "/public"
)

// A row is one flood in one mode.
type row struct {
	mode     string
	kind     kind
	from     string // where the flood comes from
	duration time.Duration
	serve    []string // further flags of the gate
}

// A result is what was measured in a row.
type result struct {
	row
	flood, base         load.Tally
	good, goodBase      load.Record
	entered             []time.Duration
	reviews, fetches    int
	cpu                 time.Duration
	peak                int64
	running             bool
	log                 string
	proven              int // tokens that the API server may be asked about for callers' sake
	floodTook, baseTook time.Duration
}

// measure runs a gate of its own, floods it, and then asks for a public path as
// often.
func (r row) measure(ctx context.Context, program string) (*result, error) {
	dir, err := os.MkdirTemp("", "floods")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	w, err := world.New(dir, "")
	if err != nil {
		return nil, err
	}
	defer w.Close()
	flags := append(w.Flags(), "--mode="+r.mode, "--public-path="+publicPath)
	g, err := gate.Start(ctx, program, append(flags, r.serve...)...)
	if err != nil {
		return nil, err
	}
	defer g.Stop()
	m := &measurement{row: r, world: w, gate: g}
	res, err := m.run(ctx)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w; the gate's log:\n%s", r.mode, r.kind.name, err, g.Log())
	}
	return res, nil
}
