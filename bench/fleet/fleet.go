// Package fleet simulates the gates of a whole cluster and what they ask of the
// API server. Each gate has the program's own cache, reviewer and limiter; the API
// server is some arithmetic, callers are goroutines, and time is that of a
// [testing/synctest] bubble.
package fleet

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// A Fleet is gates with callers. All exported fields are required.
type Fleet struct {
	// Gates are so many sidecars, and each has so many Callers of its own.
	Gates, Callers int
	// Every is a caller's pause between two requests.
	Every time.Duration
	// Recheck is serve's flag of that name.
	Recheck time.Duration
	Server  *Server
	// Turned counts the requests that were answered with 503, when they were sent.
	Turned *Series

	gates []*gate
	wg    sync.WaitGroup
}

// Start starts all gates and their callers, each at any time within spread. They
// leave when ctx ends.
func (f *Fleet) Start(ctx context.Context, spread time.Duration) error {
	f.gates = make([]*gate, f.Gates)
	for i := range f.gates {
		g := &gate{}
		if err := g.restart(ctx, f); err != nil {
			return err
		}
		f.gates[i] = g
		for j := range f.Callers {
			token := fmt.Sprintf("%d/%d", i, j)
			f.wg.Go(func() { f.call(ctx, g, token, rand.N(spread)) })
		}
	}
	return nil
}

// Wait returns when all callers and gates have left.
func (f *Fleet) Wait() { f.wg.Wait() }

// call is one caller's life.
func (f *Fleet) call(ctx context.Context, g *gate, token string, pause time.Duration) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		sent := time.Now()
		if _, err := g.cache.Load().Authenticate(ctx, token); err != nil && ctx.Err() == nil {
			f.Turned.Add(sent)
		}
		pause = f.Every
	}
}

// Restart restarts all gates, one after the other within d: what they remembered
// is gone.
func (f *Fleet) Restart(ctx context.Context, d time.Duration) error {
	for _, g := range f.gates {
		if err := g.restart(ctx, f); err != nil {
			return err
		}
		time.Sleep(d / time.Duration(len(f.gates)))
	}
	return nil
}
