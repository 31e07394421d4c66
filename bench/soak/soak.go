package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

const (
	// warmup is how long everybody calls before the first rest, and a flood with
	// them: it fills what is remembered of refusals, and has the runtime start the
	// threads that it keeps.
	warmup = 5 * time.Second
	// settle is how long the gate may take until nothing is left of the callers. Its
	// own idle connections to the app stay for 4 s.
	settle = 10 * time.Second
	// recovery is how soon after a fault newcomers are let in again: an API server
	// that is back is found within 10 s (docs/failure-modes.md), on a machine that
	// has something else to do.
	recovery = 20 * time.Second
	// look is the pause between two looks at something that is waited for.
	look = 100 * time.Millisecond
)

// A soak is one gate under way.
type soak struct {
	*ground
	options
	crowd *crowd
	out   io.Writer

	gauge *gauge
	flat  flatness
}

// run goes through the phases again and again, until the time is over.
func (s *soak) run(ctx context.Context) error {
	begun := time.Now()
	s.gauge = newGauge(s.gate)
	head(s.out)
	if err := s.warm(ctx); err != nil {
		return err
	}
	for cycle := 1; cycle == 1 || time.Since(begun) < s.duration; cycle++ {
		for i, p := range phases() {
			if cycle > 1 && time.Since(begun) >= s.duration {
				break
			}
			rest := (i+1)%s.each == 0 || i == len(phases())-1
			if err := s.pass(ctx, cycle, p, rest); err != nil {
				return fmt.Errorf("%s: %w", p.name, err)
			}
		}
	}
	return s.verdict(time.Since(begun))
}

// warm gets the level that the others are held against. It is held itself against
// that of a gate that nobody has called: a leak must not be taken for warmth.
func (s *soak) warm(ctx context.Context) error {
	var err error
	if s.flat.base, err = s.gauge.collect(ctx); err != nil {
		return err
	}
	p := phase{name: "warm-up", run: floods}
	seen, err := s.call(ctx, p, warmup)
	if err != nil {
		return err
	}
	// Nobody knows yet what is low: wait as long as anything might be left.
	time.Sleep(settle)
	l, err := s.gauge.collect(ctx)
	if err != nil {
		return err
	}
	s.flat.add(p.name, l)
	s.flat.base = l
	s.print(0, p, seen, &l, 0)
	return nil
}

// pass is one phase, and the rest after it.
func (s *soak) pass(ctx context.Context, cycle int, p phase, rest bool) error {
	seen, err := s.call(ctx, p, s.phase)
	if err != nil {
		return err
	}
	over := time.Now()
	if err := s.recovered(ctx); err != nil {
		return err
	}
	if !rest {
		s.print(cycle, p, seen, nil, time.Since(over))
		return nil
	}
	l, err := s.settled(ctx)
	if err != nil {
		return err
	}
	s.flat.add(p.name, l)
	s.print(cycle, p, seen, &l, time.Since(over))
	return nil
}

// call has everybody call while the phase goes on, and returns what they got.
func (s *soak) call(ctx context.Context, p phase, d time.Duration) (map[string]tally, error) {
	s.crowd.begin()
	during, cancel := context.WithTimeout(ctx, d)
	err := p.run(during, s.ground, s.crowd)
	<-during.Done()
	cancel()
	seen := s.crowd.rest()
	return seen, errors.Join(err, ctx.Err())
}

// recovered waits until newcomers of both issuers are let in.
func (s *soak) recovered(ctx context.Context) error {
	tr := transport(false)
	deadline := time.Now().Add(recovery)
	for _, issue := range []func() (string, error){s.token, s.person} {
		for {
			token, err := issue()
			if err != nil {
				return err
			}
			got := ask(ctx, tr, "https://"+s.gate.Data+"/", token)
			if got == "200" {
				break
			}
			if !s.gate.Running() {
				return errors.New("the gate has ended")
			}
			if time.Now().After(deadline) {
				return fmt.Errorf("%v later newcomers still get %s", recovery, got)
			}
			time.Sleep(look)
		}
	}
	return nil
}

// settled waits until the gate holds no more than at first, or does not get there,
// and returns what it holds.
func (s *soak) settled(ctx context.Context) (level, error) {
	for deadline := time.Now().Add(settle); time.Now().Before(deadline); time.Sleep(look) {
		l, err := s.gauge.read(ctx)
		if err != nil {
			return l, err
		}
		b := s.flat.base
		if l.connections == 0 && l.requests == 0 && l.files <= b.files && l.goroutines <= b.goroutines {
			break
		}
	}
	return s.gauge.collect(ctx)
}
