// Floods measures what floods of bad tokens do to well-behaved callers. It
// prints a row for each flood in each mode, and fails where a promise is broken.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"time"

	"sallyport/bench/gate"
)

var modes = []string{"hybrid", "oidc", "tokenreview"}

// errBroken means that the table has rows with broken promises.
var errBroken = errors.New("promises were broken")

func main() {
	var o options
	flag.DurationVar(&o.duration, "duration", 30*time.Second, "of each flood, and of each baseline")
	flag.StringVar(&o.modes, "mode", "all", "`modes`, with commas: "+strings.Join(modes, ", "))
	flag.StringVar(&o.kinds, "flood", "all", "`floods`, with commas: "+strings.Join(kindNames(), ", "))
	flag.StringVar(&o.from, "from", "127.0.0.2", "`addresses`, with commas, that floods come from; well-behaved callers have "+caller)
	flag.StringVar(&o.program, "program", "", "`file` of the program; default: built from the source")
	flag.StringVar(&o.serve, "serve", "", "further `flags` of serve, with spaces")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if flag.Arg(0) == word {
		if err := obey(ctx, os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "floods:", err)
			os.Exit(1)
		}
		return
	}
	if err := run(ctx, o, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "floods:", err)
		os.Exit(1)
	}
}

type options struct {
	duration                           time.Duration
	modes, kinds, from, program, serve string
}

func run(ctx context.Context, o options, out io.Writer) error {
	rows, err := o.rows()
	if err != nil {
		return err
	}
	if o.program == "" {
		dir, err := os.MkdirTemp("", "floods")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		if o.program, err = gate.Build(ctx, dir); err != nil {
			return err
		}
	}
	fmt.Fprintf(out, "%d rows, about %v. %d connections flood beside %d callers of %.0f requests a second, %d of whom change tokens, on %d cores\n"+
		"that the gate shares with the flood, the callers and the driver, which is the app, the issuer and the API server. Then as many\n"+
		"requests a second go to a public path (base), and ratio is what the flood makes of the callers' p99; * is more than %d.\n\n",
		len(rows), time.Duration(len(rows))*(2*o.duration+time.Second), attackers, callers, callRate, rotating, runtime.NumCPU(), wantedRatio)
	head(out)
	broken := false
	for _, r := range rows {
		res, err := r.measure(ctx, o.program)
		if err != nil {
			return err
		}
		res.print(out)
		broken = broken || len(res.broken()) > 0
	}
	if broken {
		return errBroken
	}
	return nil
}

// rows are all that the options name.
func (o *options) rows() (rows []row, err error) {
	self := func(s string) string { return s }
	chosen, err := some(o.modes, modes, self)
	if err != nil {
		return nil, fmt.Errorf("-mode: %w", err)
	}
	floods, err := some(o.kinds, kinds, func(k kind) string { return k.name })
	if err != nil {
		return nil, fmt.Errorf("-flood: %w", err)
	}
	for _, from := range strings.Split(o.from, ",") {
		for _, mode := range chosen {
			for _, k := range floods {
				rows = append(rows, row{mode: mode, kind: k, from: from, duration: o.duration, serve: strings.Fields(o.serve)})
			}
		}
	}
	return rows, nil
}
