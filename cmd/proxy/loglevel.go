package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"sallyport/internal/config"
)

const logLevelIntro = `Usage: sallyport log-level [debug|info|warn|error] [flags]

Shows the log level of the sallyport in this pod, or sets it, until its restart.`

// logLevelTimeout is far above what the answer takes, which waits for nothing:
// there is time for a gate whose CPU is throttled.
const logLevelTimeout = 5 * time.Second

var logLevelCommand = command{
	name:    "log-level",
	summary: "show or set the log level of the gate that runs here",
	run: func(ctx context.Context, args []string, s streams) error {
		fs := pflag.NewFlagSet("log-level", pflag.ContinueOnError)
		listen := debugListen(fs)
		words, err := parseArgs(fs, args, logLevelIntro, s.out)
		if err != nil {
			return ignoreHelp(err)
		}
		method, level := http.MethodGet, ""
		switch len(words) {
		case 0:
		case 1:
			if level, err = config.ParseLogLevel(words[0]); err != nil {
				return usagef("%v", err)
			}
			method = http.MethodPost
		default:
			return usagef("%d levels are too many: write one to set it, or none to see it", len(words))
		}
		a, err := listen.address()
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(ctx, logLevelTimeout)
		defer cancel()
		return logLevel(ctx, a, method, level, s)
	},
}

// logLevel prints the level that is in force then. Only what is one is printed:
// nobody knows who answers.
func logLevel(ctx context.Context, a config.Address, method, level string, s streams) error {
	answer, err := askServe(ctx, a, method, "/log-level", level)
	if err != nil {
		return err
	}
	now, err := config.ParseLogLevel(strings.TrimSpace(answer))
	if err != nil || level != "" && now != level {
		return fmt.Errorf("%s has answered something else than the level: is it serve's --debug-listen?", a)
	}
	_, err = fmt.Fprintln(s.out, now)
	return err
}
