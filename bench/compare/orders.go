package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"sync"

	"sallyport/bench/gate"
)

// A builder builds a program into a folder, with further flags of go build.
type builder func(ctx context.Context, dir string, flags ...string) (program string, err error)

// inOrders builds this program and another one, each in n orders of its functions, below
// dir, and returns them in turn: 1 of ours, 1 of the other's, 2 of ours. Programs that
// differ in nothing but that order differ by up to 4 % in what a request costs them, and
// any change of the source changes it.
func inOrders(ctx context.Context, dir string, n int, other builder) (all []contestant, err error) {
	for order := 1; order <= n; order++ {
		for _, side := range []struct {
			name  string
			build builder
		}{{headName, gate.Build}, {againstName, other}} {
			into, err := os.MkdirTemp(dir, "order")
			if err != nil {
				return nil, err
			}
			program, err := side.build(ctx, into, fmt.Sprintf("-ldflags=-s -w -randlayout=%d", order))
			if err != nil {
				return nil, err
			}
			all = append(all, ofProgram(fmt.Sprint(side.name, " ", order), program))
		}
	}
	return all, nil
}

// together adds a sample of each, all loaded at the same moment and each by a load of
// its own, so that whatever the machine does meets all of them.
func (s *scenario) together(ctx context.Context, at *site, running []*instance, samples [][]*sample) error {
	errs := make([]error, len(running))
	var wg sync.WaitGroup
	for k, i := range running {
		wg.Go(func() {
			m, err := s.turn(ctx, at, i)
			samples[k], errs[k] = append(samples[k], m), err
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// comparedInOrders says what ours cost of what the others do: in each round all of ours
// together, and by each order alone.
func comparedInOrders(samples [][]*sample, out io.Writer) {
	var rounds []float64
	for round := range samples[0] {
		ours, others := 0.0, 0.0
		for k := 0; k < len(samples); k += 2 {
			ours, others = ours+samples[k][round].cpu(), others+samples[k+1][round].cpu()
		}
		rounds = append(rounds, ours/others)
	}
	r := spanOf(rounds)
	fmt.Fprintf(out, "%s is %.3f of %s, %.3f to %.3f in %d rounds, with a standard error of %.3f; by each order",
		headName, r.Median, againstName, r.Least, r.Most, len(rounds), standardError(rounds))
	for k := 0; k < len(samples); k += 2 {
		fmt.Fprintf(out, " %.3f", ratio(samples[k], samples[k+1]).Median)
	}
	fmt.Fprintln(out)
}

// standardError is that of the values' mean; zero where there is one alone.
func standardError(values []float64) float64 {
	n, mean, squares := float64(len(values)), 0.0, 0.0
	for _, v := range values {
		mean += v / n
	}
	for _, v := range values {
		squares += (v - mean) * (v - mean)
	}
	return math.Sqrt(squares / max(n-1, 1) / n)
}
