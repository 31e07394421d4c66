package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/pflag"

	"sallyport/internal/config"
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
		listen := fs.String("debug-listen", config.DefaultDebugListen, "the --debug-listen of serve: loopback, or unix:///path")
		timeout := fs.Duration("timeout", 30*time.Second, "the longest wait; more than serve's --drain-delay")
		if err := parseFlags(fs, args, drainIntro, s.out); err != nil {
			return ignoreHelp(err)
		}
		a, err := config.ParseAddress(*listen)
		switch {
		case err != nil:
			return usagef("--debug-listen: %v", err)
		case !a.Local():
			return usagef("--debug-listen: %s is not in this pod: write 127.0.0.1:9902, or unix:///path", a)
		case *timeout <= 0 || *timeout > maxDrainTimeout:
			return usagef("--timeout: %v is out of bounds: write more than 0s, and at most 15m", *timeout)
		}
		ctx, cancel := context.WithTimeout(ctx, *timeout)
		defer cancel()
		return drain(ctx, a)
	},
}

// drain posts to the debug listener, and returns when it has answered, which it
// does when the drain delay is over.
func drain(ctx context.Context, a config.Address) error {
	client, base := localClient(a)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/drain", nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%s has not answered in time: the drain may go on; --timeout has to be longer than serve's --drain-delay", a)
	}
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err // without the URL, which for a socket says nothing
	}
	if err != nil {
		return fmt.Errorf("%s cannot be asked: is serve running in this container, with this --debug-listen? (%w)", a, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return fmt.Errorf("%s answered %s: is it serve's --debug-listen?", a, resp.Status)
	}
	// The status alone counts; the rest is read so that the other side is not
	// cut short, and bounded, as nobody knows what it is.
	_, err = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10))
	return err
}

// localClient speaks to a, and to nobody else: no proxy, no redirect.
func localClient(a config.Address) (client *http.Client, base string) {
	base = "http://" + a.Name
	if a.Network == "unix" {
		base = "http://localhost"
	}
	transport := &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, a.Network, a.Name)
		},
	}
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &http.Client{Transport: transport, CheckRedirect: stay}, base
}

// ignoreHelp makes a command that has shown its help a success.
func ignoreHelp(err error) error {
	if errors.Is(err, errHelp) {
		return nil
	}
	return err
}
