package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"sallyport/bench/load"
)

const (
	// newcomers all come within arrival, as after a restart of the proxy.
	newcomers = 1000
	arrival   = time.Second
	// addresses are those that they come from: more connections than half of all
	// are not taken from one.
	addresses = 100
	// entryTimeout is twice what mode tokenreview's 20 new tokens a second need.
	entryTimeout = 2 * newcomers / 20 * time.Second
)

// An entry is how callers that a proxy has not seen before got in. Times are in
// milliseconds.
type entry struct {
	Proxy              string
	P50, P99, Last     float64 // from a caller's first request to its first answer with 200
	Reviews, Newcomers int
}

// coldStart has every proxy start anew and meet 1,000 callers, each with a token
// and a connection of its own. Who hears 503 comes again.
func (b *bench) coldStart(ctx context.Context, out io.Writer) (all []entry, err error) {
	at, err := b.tools.open(ctx, newcomers, b.duration)
	if err != nil {
		return nil, err
	}
	defer at.close()
	fmt.Fprintf(out, "%-16s %10s %10s %10s %12s\n", "", "p50 ms", "p99", "last", "TokenReviews")
	for _, c := range b.contestants {
		i, err := c.start(ctx, at, &scenario{listener: clear, tokens: newcomers})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.name, err)
		}
		before := at.world.Cluster.Counts().Reviews
		took, err := enter(ctx, i.addr, at.tokens)
		if err != nil {
			return nil, fmt.Errorf("%s: %w; its log:\n%s", c.name, err, i.Log())
		}
		i.Stop()
		e := entry{
			Proxy: c.name, Reviews: at.world.Cluster.Counts().Reviews - before, Newcomers: newcomers,
			P50: took[newcomers/2], P99: took[newcomers*99/100], Last: took[newcomers-1],
		}
		fmt.Fprintf(out, "%-16s %10.1f %10.1f %10.1f %12d\n", e.Proxy, e.P50, e.P99, e.Last, e.Reviews)
		all = append(all, e)
	}
	return all, nil
}

// enter returns how long each token took to get in, in milliseconds, in order.
func enter(ctx context.Context, to string, tokens []string) ([]float64, error) {
	ctx, cancel := context.WithTimeout(ctx, entryTimeout)
	defer cancel()
	took := make([]float64, len(tokens))
	errs := make([]error, len(tokens))
	var wg sync.WaitGroup
	for i, token := range tokens {
		wg.Go(func() {
			select {
			case <-time.After(arrival * time.Duration(i) / time.Duration(len(tokens))):
			case <-ctx.Done():
			}
			d, err := load.Enter(ctx, fmt.Sprintf("127.0.1.%d", 1+i%addresses), to, "/", token)
			took[i], errs[i] = float64(d.Microseconds())/1000, err
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	slices.Sort(took)
	return took, nil
}
