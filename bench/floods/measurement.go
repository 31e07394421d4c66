package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"sallyport/bench/badtoken"
	"sallyport/bench/gate"
	"sallyport/bench/load"
	"sallyport/bench/world"
)

// A measurement is a row under way.
type measurement struct {
	row
	world *world.World
	gate  *gate.Gate
}

func (m *measurement) run(ctx context.Context) (*result, error) {
	tokens, err := m.kind.tokens(m.world)
	if err != nil {
		return nil, err
	}
	well, err := m.callers()
	if err != nil {
		return nil, err
	}
	late, err := m.world.Tokens(newcomers)
	if err != nil {
		return nil, err
	}
	// Everybody is known before the flood begins, but for those whose tokens
	// change: those that they change to are new.
	warm, cancel := context.WithTimeout(ctx, time.Second/2)
	first := load.Call(warm, well)
	cancel()
	if first.Errors > 0 {
		return nil, fmt.Errorf("before the flood: %s", first.First)
	}
	res := &result{row: m.row, proven: callers + rotating*(rotations-1) + newcomers}
	if err := m.flood(ctx, res, tokens, well, late); err != nil {
		return nil, err
	}
	if err := m.baseline(ctx, res, well); err != nil {
		return nil, err
	}
	res.running, res.log = m.gate.Running(), m.gate.Log()
	return res, ctx.Err()
}

// callers are the well-behaved ones. The tokens of some change.
func (m *measurement) callers() ([]load.Caller, error) {
	all := make([]load.Caller, callers)
	for i := range all {
		n := 1
		if i < rotating {
			n = rotations
		}
		tokens, err := m.world.Tokens(n)
		if err != nil {
			return nil, err
		}
		all[i] = load.Caller{From: caller, To: m.gate.Data, Path: "/", Rate: callRate, Tokens: tokens, For: m.duration}
	}
	return all, nil
}

// flood is the measurement itself.
func (m *measurement) flood(ctx context.Context, res *result, tokens badtoken.Recipe, well []load.Caller, late []string) error {
	usage, err := m.gate.Usage()
	if err != nil {
		return err
	}
	calls := m.world.Cluster.Counts()
	start := time.Now()
	ctx, cancel := context.WithTimeout(ctx, m.duration)
	defer cancel()
	f := &load.Flood{From: m.from, To: m.gate.Data, Conns: attackers, Streams: m.kind.streams, Path: floodPath}
	var entered sync.WaitGroup
	entered.Go(func() { res.entered = m.newcomers(ctx, late) })
	var failed error
	res.flood, res.good, failed = beside(ctx, order{Flood: f, Recipe: tokens}, well)
	entered.Wait()
	res.floodTook = time.Since(start)
	after := m.world.Cluster.Counts()
	res.reviews, res.fetches = after.Reviews-calls.Reviews, after.Keys-calls.Keys
	end, err := m.gate.Usage()
	res.cpu, res.peak = end.CPU-usage.CPU, end.PeakRSS
	return errors.Join(failed, err)
}

// beside has callers call beside a flood, each in a process of its own.
func beside(ctx context.Context, flood order, callers []load.Caller) (load.Tally, load.Record, error) {
	var flooded, called report
	var errs [2]error
	var wg sync.WaitGroup
	wg.Go(func() { flooded, errs[0] = flood.run(ctx) })
	wg.Go(func() { called, errs[1] = order{Callers: callers}.run(ctx) })
	wg.Wait()
	return flooded.Flood, called.Callers, errors.Join(errs[:]...)
}

// newcomers arrive one after the other in the first half, and have the rest of
// the time to get in.
func (m *measurement) newcomers(ctx context.Context, tokens []string) (took []time.Duration) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i, t := range tokens {
		wg.Go(func() {
			select {
			case <-time.After(m.duration / 2 * time.Duration(i+1) / time.Duration(len(tokens))):
			case <-ctx.Done():
				return
			}
			d, err := load.Enter(ctx, caller, m.gate.Data, "/", t)
			if err != nil {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			took = append(took, d)
		})
	}
	wg.Wait()
	return took
}

// baseline has the same callers call beside as many requests a second for a
// public path: what is slower then is slower for want of CPU.
func (m *measurement) baseline(ctx context.Context, res *result, well []load.Caller) error {
	start := time.Now()
	ctx, cancel := context.WithTimeout(ctx, m.duration)
	defer cancel()
	f := &load.Flood{
		From: m.from, To: m.gate.Data, Conns: attackers, Streams: m.kind.streams, Path: publicPath,
		Rate: float64(res.flood.Sum()) / res.floodTook.Seconds(),
	}
	var err error
	res.base, res.goodBase, err = beside(ctx, order{Flood: f}, well)
	res.baseTook = time.Since(start)
	return err
}
