package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"sync"
	"time"
)

// A row is what one proxy did in one scenario: medians of its rounds.
type row struct {
	Scenario, Proxy string
	Rounds          int
	CPU             float64 // microseconds a request
	Ratio           span    // of bare's in the same round; zero without bare
	Rate            float64 // requests a second
	P50, P99, P999  float64 // microseconds
	RSS             int64   // bytes, after the last round
	Allocs          float64 // a request; zero where it is not known
}

// A span is a median, and how far the rounds went to both sides of it.
type span struct{ Median, Least, Most float64 }

func spanOf(values []float64) span {
	if len(values) == 0 {
		return span{}
	}
	return span{median(values), slices.Min(values), slices.Max(values)}
}

func median(values []float64) float64 {
	v := slices.Sorted(slices.Values(values))
	if n := len(v); n%2 == 0 {
		return (v[n/2-1] + v[n/2]) / 2
	}
	return v[len(v)/2]
}

// contest runs one scenario: every contestant is started, and then all have their
// turns, round after round, so that whatever else the machine does meets all of
// them; or all at the same moment, where they are orders of programs.
func (b *bench) contest(ctx context.Context, s *scenario, out io.Writer) error {
	if why := b.cannot(s); why != "" {
		fmt.Fprintf(out, "left out: %s\n", why)
		return nil
	}
	at, err := b.tools.open(ctx, s.tokens, b.duration)
	if err != nil {
		return err
	}
	defer at.close()
	var in []contestant
	var running []*instance
	for _, c := range b.contestants {
		if c.without != nil && c.without(s) != "" {
			fmt.Fprintf(out, "%s is left out: %s\n", c.name, c.without(s))
			continue
		}
		i, err := c.start(ctx, at, s)
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		in, running = append(in, c), append(running, i)
	}
	if err := prepare(ctx, at, s, in, running); err != nil {
		return err
	}
	samples, err := b.turns(ctx, at, s, in, running, out)
	if err != nil {
		return err
	}
	all := rows(s, in, samples)
	fmt.Fprintf(out, "%d rounds of %v\n", b.roundsOf(s), b.duration)
	head(out)
	for _, r := range all {
		r.print(out)
	}
	if b.orders > 0 {
		comparedInOrders(samples, out)
	} else {
		compared(in, samples, out)
	}
	b.results.Rows = append(b.results.Rows, all...)
	return nil
}

// sideRounds are those of scenarios that no budget is read from.
const sideRounds = 3

func (b *bench) roundsOf(s *scenario) int {
	if s.headline {
		return b.rounds
	}
	return min(b.rounds, sideRounds)
}

// turns returns the samples of each contestant.
func (b *bench) turns(ctx context.Context, at *site, s *scenario, in []contestant, running []*instance, out io.Writer) ([][]*sample, error) {
	samples := make([][]*sample, len(in))
	for range b.roundsOf(s) {
		if b.orders > 0 {
			if err := s.together(ctx, at, running, samples); err != nil {
				return nil, err
			}
			continue
		}
		for k, i := range running {
			m, err := s.turn(ctx, at, i)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", in[k].name, err)
			}
			samples[k] = append(samples[k], m)
		}
	}
	for k, i := range running {
		if at.profile == "" || i.admin == "" {
			continue
		}
		if err := at.profiled(ctx, s, i, in[k].name+"-"+s.name, out); err != nil {
			return nil, fmt.Errorf("profiling %s: %w", in[k].name, err)
		}
	}
	return samples, nil
}

// prepare has every proxy know the tokens, all at a time, as it takes minutes where
// there are many, and sees that those that should do refuse others.
func prepare(ctx context.Context, at *site, s *scenario, in []contestant, running []*instance) error {
	errs := make([]error, len(in))
	var wg sync.WaitGroup
	for k, i := range running {
		wg.Go(func() {
			err := i.warm(ctx, at, s)
			if err == nil && in[k].authenticates {
				err = i.refuses(ctx, at, s)
			}
			if err != nil {
				errs[k] = fmt.Errorf("%s: %w", in[k].name, err)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// warmUp is before each turn: the proxy has been idle while others had theirs.
const warmUp = time.Second

func (s *scenario) turn(ctx context.Context, at *site, i *instance) (*sample, error) {
	if _, err := at.load(ctx, s, i.addr, warmUp); err != nil {
		return nil, err
	}
	return s.measure(ctx, at, i)
}

// rows makes a row of each contestant's samples.
func rows(s *scenario, in []contestant, samples [][]*sample) (all []row) {
	bare := slices.IndexFunc(in, func(c contestant) bool { return c.name == bareName })
	for k, c := range in {
		r := row{Scenario: s.name, Proxy: c.name, Rounds: len(samples[k])}
		of := func(f func(*sample) float64) float64 {
			var v []float64
			for _, m := range samples[k] {
				v = append(v, f(m))
			}
			return median(v)
		}
		r.CPU, r.Rate = of((*sample).cpu), of((*sample).rate)
		r.P50 = of(func(m *sample) float64 { return micros(m.P50) })
		r.P99 = of(func(m *sample) float64 { return micros(m.P99) })
		r.P999 = of(func(m *sample) float64 { return micros(m.P999) })
		r.Allocs = of(func(m *sample) float64 { return m.Allocs })
		r.RSS = samples[k][len(samples[k])-1].RSS
		if bare >= 0 {
			r.Ratio = ratio(samples[k], samples[bare])
		}
		all = append(all, r.rounded())
	}
	return all
}

// ratio is what one costs of what the other does in the same round.
func ratio(one, other []*sample) span {
	var all []float64
	for n, m := range one {
		all = append(all, m.cpu()/other[n].cpu())
	}
	return spanOf(all)
}

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }

// rounded keeps the digits that mean something.
func (r row) rounded() row {
	to := func(v *float64, unit float64) { *v = math.Round(*v/unit) * unit }
	to(&r.CPU, 0.1)
	to(&r.Rate, 1)
	to(&r.Allocs, 0.1)
	for _, v := range []*float64{&r.P50, &r.P99, &r.P999} {
		to(v, 1)
	}
	for _, v := range []*float64{&r.Ratio.Median, &r.Ratio.Least, &r.Ratio.Most} {
		to(v, 0.001)
	}
	return r
}
