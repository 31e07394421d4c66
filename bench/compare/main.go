// Compare measures Sallyport beside other proxies: what a request costs each of
// them, and how long it takes.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"

	"sallyport/bench/gate"
)

func main() {
	var o options
	flag.StringVar(&o.scenarios, "scenarios", "all", "`names`, with commas: "+strings.Join(scenarioNames(), ", "))
	flag.StringVar(&o.proxies, "proxies", "all", "`names`, with commas: bare, nginx, haproxy, hybrid, oidc, tokenreview, and those of -peers")
	flag.IntVar(&o.rounds, "rounds", 7, "of one and rate; the others have 3 at most")
	flag.DurationVar(&o.duration, "duration", 4*time.Second, "of each turn, in whole seconds")
	flag.StringVar(&o.program, "program", "", "`file` of Sallyport; default: built from the source")
	flag.StringVar(&o.serve, "serve", "", "further `flags` of serve, with spaces")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, o, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "compare:", err)
		os.Exit(1)
	}
}

type options struct {
	scenarios, proxies, program, serve string
	rounds                             int
	duration                           time.Duration
}

// A bench is a run.
type bench struct {
	options
	tools
	contestants []contestant
}

func scenarioNames() (names []string) {
	for _, s := range scenarios {
		names = append(names, s.name)
	}
	return names
}

// some returns those of all that are named; "all" names each.
func some[T any](list string, all []T, name func(T) string) (chosen []T, err error) {
	if list == "all" {
		return all, nil
	}
	for _, n := range strings.Split(list, ",") {
		i := slices.IndexFunc(all, func(t T) bool { return name(t) == n })
		if i < 0 {
			return nil, fmt.Errorf("there is no %q here", n)
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}

// sideRounds are those of scenarios that no budget is read from.
const sideRounds = 3

func (b *bench) roundsOf(s *scenario) int {
	if s.headline {
		return b.rounds
	}
	return min(b.rounds, sideRounds)
}

func run(ctx context.Context, o options, out io.Writer) error {
	chosen, err := some(o.scenarios, scenarios, func(s scenario) string { return s.name })
	if err != nil {
		return fmt.Errorf("-scenarios: %w", err)
	}
	dir, err := os.MkdirTemp("", "compare")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b := &bench{options: o}
	if b.tools, err = find(ctx, dir); err != nil {
		return err
	}
	b.tools.missing(out)
	b.tools.serve = strings.Fields(o.serve)
	if b.tools.gate = o.program; o.program == "" {
		if b.tools.gate, err = gate.Build(ctx, dir); err != nil {
			return err
		}
	}
	if b.contestants, err = some(o.proxies, b.tools.contestants(), func(c contestant) string { return c.name }); err != nil {
		return fmt.Errorf("-proxies: %w", err)
	}
	failed := 0
	for _, s := range chosen {
		fmt.Fprintf(out, "\n%s: %s; %d rounds of %v\n", s.name, s.about, b.roundsOf(&s), b.duration)
		rows, err := b.contest(ctx, &s, out)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			fmt.Fprintf(out, "FAILED: %v\n", err)
			failed++
			continue
		}
		head(out)
		for _, r := range rows {
			r.print(out)
		}
	}
	if failed > 0 {
		return errors.New("not everything could be measured")
	}
	return nil
}
