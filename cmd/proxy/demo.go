package main

import (
	"context"
	"io"
	"os"
	"time"

	"github.com/spf13/pflag"

	"sallyport/internal/config"
	"sallyport/internal/demo"
)

const demoIntro = `Usage: sallyport demo [flags]

Plays what the gate is for, in this process and on loopback: a small cluster, an
app, serve in front of it, and tokens that rotate, expire, are revoked and are
refused. Exit code 0 says that every scene went as expected.`

// maxDemo is longer than anybody watches, and a bound all the same.
const maxDemo = 24 * time.Hour

var demoCommand = command{
	name:    "demo",
	summary: "see it work: tokens rotate, expire and are refused, without a cluster",
	run: func(ctx context.Context, args []string, s streams) error {
		fs := pflag.NewFlagSet("demo", pflag.ContinueOnError)
		once := fs.Bool("once", false, "end after the scenes; without it, stay up to be tried by hand")
		duration := fs.Duration("duration", 0, "stay up for so long after the scenes; without it, until Ctrl-C")
		verbose := fs.Bool("verbose", false, "the gate's log goes to standard error, not to a file")
		if err := parseFlags(fs, args, demoIntro, s.out); err != nil {
			return ignoreHelp(err)
		}
		given := fs.Changed("duration")
		switch {
		case *once && given:
			return usagef("--once and --duration: write one of them, it ends after the scenes or stays up")
		case given && (*duration <= 0 || *duration > maxDemo):
			return usagef("--duration: %v is out of bounds: write more than 0s, and at most 24h", *duration)
		}
		program, err := os.Executable()
		if err != nil {
			return err
		}
		o := demo.Options{
			Program: program,
			Out:     s.out, Colour: demo.Colourful(s.out),
			Once: *once, Duration: *duration, App: echoHandler(), Serve: serveDemo,
		}
		if *verbose {
			o.Log = s.err
		}
		return demo.Run(ctx, o)
	},
}

// serveDemo is serve, with its addresses known.
func serveDemo(ctx context.Context, args []string, log io.Writer) (*demo.Gate, error) {
	c, err := config.Load(args)
	if err != nil {
		return nil, err
	}
	g, err := newGate(c, log)
	if err != nil {
		return nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- g.run(ctx) }()
	return &demo.Gate{Data: g.data.addr(), Admin: g.admin.addr(), Debug: g.debug.addr(), Wait: func() error { return <-ended }}, nil
}
