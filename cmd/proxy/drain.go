package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/spf13/pflag"
)

const drainIntro = `Usage: sallyport drain [flags]

Asks the sallyport in this pod to stop taking requests, and returns when its
drain delay is over. It is the preStop command of the sidecar.`

// maxDrainTimeout is far above any drain delay (10 min at most), and a bound
// all the same.
const maxDrainTimeout = 15 * time.Minute

var drainCommand = command{
	name:    "drain",
	summary: "preStop: stop taking requests, and wait for the drain delay",
	run: func(ctx context.Context, args []string, s streams) error {
		fs := pflag.NewFlagSet("drain", pflag.ContinueOnError)
		listen := debugListen(fs)
		timeout := fs.Duration("timeout", 30*time.Second, "the longest wait; more than serve's --drain-delay")
		if err := parseFlags(fs, args, drainIntro, s.out); err != nil {
			return ignoreHelp(err)
		}
		a, err := listen.address()
		switch {
		case err != nil:
			return err
		case *timeout <= 0 || *timeout > maxDrainTimeout:
			return usagef("--timeout: %v is out of bounds: write more than 0s, and at most 15m", *timeout)
		}
		ctx, cancel := context.WithTimeout(ctx, *timeout)
		defer cancel()
		// The answer comes when the drain delay is over, and its words do not count.
		_, err = askServe(ctx, a, http.MethodPost, "/drain", "")
		if errors.Is(err, context.DeadlineExceeded) {
			return fmt.Errorf("%w: the drain may go on; --timeout has to be longer than serve's --drain-delay", err)
		}
		return err
	},
}

// ignoreHelp makes a command that has shown its help a success.
func ignoreHelp(err error) error {
	if errors.Is(err, errHelp) {
		return nil
	}
	return err
}
