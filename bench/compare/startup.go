package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"sallyport/bench/gate"
)

// starts is odd, so that the median is one of them.
const starts = 11

// A startup is the program's size, and how long it takes from exec to a green
// /startupz in mode hybrid, with an API server that answers at once.
type startup struct {
	Bytes        int64
	Median, Most float64 // milliseconds
}

func (b *bench) startUp(ctx context.Context, out io.Writer) (*startup, error) {
	at, err := b.tools.open(ctx, 1, b.duration)
	if err != nil {
		return nil, err
	}
	defer at.close()
	info, err := os.Stat(b.tools.gate)
	if err != nil {
		return nil, err
	}
	var took []float64
	for range starts {
		g, err := gate.Start(ctx, b.tools.gate, at.gateFlags(&scenario{}, headName)...)
		if err != nil {
			return nil, err
		}
		g.Stop()
		took = append(took, float64(g.Took.Microseconds())/1000)
	}
	s := spanOf(took)
	u := &startup{Bytes: info.Size(), Median: s.Median, Most: s.Most}
	fmt.Fprintf(out, "the program: %.2f MB; ready after %.1f ms (median of %d starts, the slowest %.1f)\n",
		float64(u.Bytes)/1e6, u.Median, starts, u.Most)
	return u, nil
}

// settle is how long a gate is left alone before its memory counts as idle: the
// garbage of its start is gone by then, or stays.
const settle = 5 * time.Second
