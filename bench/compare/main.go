// Compare measures Sallyport beside other proxies: what a request costs each of
// them, and how long it takes.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"
)

func main() {
	var o options
	flag.StringVar(&o.steps, "scenarios", "all", "`names`, with commas: "+strings.Join(stepNames(), ", ")+"; or none")
	flag.StringVar(&o.proxies, "proxies", "all", "`names`, with commas: bare, nginx, haproxy, hybrid, oidc, tokenreview, and those of -peers and -against")
	flag.StringVar(&o.peers, "peers", "", "`name=file,...` of further proxies: "+strings.Join(peerNames(), ", "))
	flag.IntVar(&o.rounds, "rounds", 7, "of one and rate; the others have 3 at most")
	flag.DurationVar(&o.duration, "duration", 4*time.Second, "of each turn, in whole seconds")
	flag.StringVar(&o.program, "program", "", "`file` of Sallyport; default: built from the source")
	flag.StringVar(&o.against, "against", "", "another `program` of Sallyport, whose mode hybrid takes turns with this one's as a proxy named against: a file; the folder of another checkout, to be built; or unobserved, for one that is built and counts and logs no requests")
	flag.IntVar(&o.orders, "orders", 0, "build both this program and -against in so many orders of their functions, and load all at the same moment, in place of -proxies")
	flag.StringVar(&o.serve, "serve", "", "further `flags` of serve, with spaces")
	flag.BoolVar(&o.update, "update", false, "keep the figures in bench/results.json, and write docs/performance.md and its chart")
	flag.BoolVar(&o.strict, "strict", false, "fail where a budget is broken")
	flag.StringVar(&o.profile, "profile", "", "`folder` for CPU profiles of Sallyport, one a mode: see README.md")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, o, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "compare:", err)
		os.Exit(1)
	}
}

type options struct {
	steps, proxies, peers, program, against, serve, profile string
	rounds, orders                                          int
	duration                                                time.Duration
	update, strict                                          bool
}

// some returns those of all that are named; "all" names each, "none" none.
func some[T any](list string, all []T, name func(T) string) (chosen []T, err error) {
	switch list {
	case "all":
		return all, nil
	case "none":
		return nil, nil
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
