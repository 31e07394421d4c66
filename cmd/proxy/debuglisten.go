package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/pflag"

	"sallyport/internal/config"
)

// maxAnswer bounds what is read of an answer, in bytes: it is a word, or one line
// of an error, and nobody knows who answers.
const maxAnswer = 64 << 10

// A debugListenFlag is where a command finds the serve that runs beside it.
type debugListenFlag struct{ text *string }

func debugListen(fs *pflag.FlagSet) debugListenFlag {
	return debugListenFlag{fs.String("debug-listen", config.DefaultDebugListen, "the --debug-listen of serve: loopback, or unix:///path")}
}

// address is a usageError where the flag leads out of this pod.
func (f debugListenFlag) address() (config.Address, error) {
	a, err := config.ParseAddress(*f.text)
	if err != nil {
		return a, usagef("--debug-listen: %v", err)
	}
	if !a.Local() {
		return a, usagef("--debug-listen: %s is not in this pod: write 127.0.0.1:9902, or unix:///path", a)
	}
	return a, nil
}

// askServe sends one request to serve's debug listener and returns the answer's
// body, or an error where its status is none of 2xx; a [context.DeadlineExceeded]
// where ctx ended first.
func askServe(ctx context.Context, a config.Address, method, path, body string) (string, error) {
	client, base := localClient(a)
	req, err := http.NewRequestWithContext(ctx, method, base+path, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	tooLate := fmt.Errorf("%s has not answered in time (%w)", a, context.DeadlineExceeded)
	resp, err := client.Do(req)
	if errors.Is(err, context.DeadlineExceeded) {
		return "", tooLate
	}
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err // without the URL, which for a socket says nothing
	}
	if err != nil {
		return "", fmt.Errorf("%s cannot be asked: is serve running in this container, with this --debug-listen? (%w)", a, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return "", fmt.Errorf("%s answered %s: is it serve's --debug-listen?", a, resp.Status)
	}
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if errors.Is(err, context.DeadlineExceeded) {
		return "", tooLate
	}
	return string(answer), err
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
