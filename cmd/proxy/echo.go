package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/spf13/pflag"

	"sallyport/internal/config"
)

const echoIntro = `Usage: sallyport echo [flags]

An app to try the gate with: it answers every request with what it saw of it,
as text, or as JSON to who accepts that. /healthz says ok.`

var echoCommand = command{
	name:    "echo",
	summary: "an app that answers with what it saw, to try the gate with",
	run: func(ctx context.Context, args []string, s streams) error {
		fs := pflag.NewFlagSet("echo", pflag.ContinueOnError)
		listen := fs.String("listen", "127.0.0.1:8080", "host:port or unix:///path; HTTP/1.1 and h2c")
		if err := parseFlags(fs, args, echoIntro, s.out); err != nil {
			return ignoreHelp(err)
		}
		a, err := config.ParseAddress(*listen)
		if err != nil {
			return usagef("--listen: %v", err)
		}
		l, err := (&net.ListenConfig{}).Listen(ctx, a.Network, a.Name)
		if err != nil {
			return err
		}
		return serveEcho(ctx, l)
	},
}

// serveEcho serves on l until ctx ends, and closes it.
func serveEcho(ctx context.Context, l net.Listener) error {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{
		Handler:           echoHandler(),
		Protocols:         &protocols,
		ReadHeaderTimeout: 10 * time.Second,
	}
	down := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(down)
		// A second is much for answers as short as these.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		if server.Shutdown(ctx) != nil {
			server.Close()
		}
	})
	err := server.Serve(l)
	if stop() {
		return err // nobody asked it to end
	}
	<-down
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
