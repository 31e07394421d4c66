// Soak runs a gate for minutes while everything around it changes, fails and
// attacks. Whenever the world is at rest it looks at what the gate holds, and it
// fails where that has become more, or where a well-behaved call failed that the
// fault of the moment does not explain.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"time"

	"sallyport/bench/gate"
)

// errBroken means that a promise was broken; the table says which.
var errBroken = errors.New("promises were broken")

func main() {
	var o options
	flag.DurationVar(&o.duration, "duration", 10*time.Minute, "of it all; the phases are gone through once at the least")
	flag.DurationVar(&o.phase, "phase", 6*time.Second, "of each phase, without the rest after it")
	flag.IntVar(&o.each, "each", 1, "`number` of phases between two rests")
	flag.StringVar(&o.program, "program", "", "`file` of the program; default: built from the source")
	flag.StringVar(&o.serve, "serve", "", "further `flags` of serve, with spaces")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, o, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

type options struct {
	duration, phase time.Duration
	each            int
	program, serve  string
}

func run(ctx context.Context, o options, out io.Writer) error {
	if o.each < 1 {
		return errors.New("-each is 1 at the least")
	}
	dir, err := os.MkdirTemp("", "soak")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if o.program == "" {
		if o.program, err = gate.Build(ctx, dir); err != nil {
			return err
		}
	}
	g, err := open(ctx, dir, o.program, strings.Fields(o.serve))
	if err != nil {
		return err
	}
	defer g.close()
	s := &soak{ground: g, crowd: newCrowd(g), out: out, options: o}
	defer s.crowd.close()
	err = s.run(ctx)
	if err != nil && !errors.Is(err, errBroken) {
		return fmt.Errorf("%w; the gate's log:\n%s", err, g.gate.Log())
	}
	return err
}
