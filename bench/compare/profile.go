package main

import (
	"context"
	_ "embed"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"sallyport/bench/gate"
)

// profiler is a file of package main that a gate is built with to be profiled. The
// program itself cannot be: what it does not need it does not have.
//
//go:embed profiler.go.txt
var profiler string

// buildGate builds Sallyport as it is released, or so that it writes profiles.
func buildGate(ctx context.Context, dir string, profiled bool) (string, error) {
	if !profiled {
		return gate.Build(ctx, dir)
	}
	return buildWith(ctx, dir, map[string]string{"cmd/proxy/profiler.go": profiler})
}

// profileInto makes a folder for profiles, which gates are told of by their
// environment.
func (t *tools) profileInto(dir string) (err error) {
	if t.profile, err = filepath.Abs(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(t.profile, 0o755); err != nil {
		return err
	}
	return os.Setenv("SALLYPORT_PROFILE", t.profile)
}

// written is how long a profile may take to be written.
const written = time.Second

// profiled profiles an instance of ours under one more load, by itself, as that costs
// too, and prints what its time goes to.
func (at *site) profiled(ctx context.Context, s *scenario, i *instance, name string, out io.Writer) error {
	i.Signal(syscall.SIGUSR1)
	m, err := at.load(ctx, s, i.addr, at.duration)
	i.Signal(syscall.SIGUSR1)
	if err != nil {
		return err
	}
	time.Sleep(written)
	file := filepath.Join(at.profile, name+".pprof")
	if err := os.Rename(filepath.Join(at.profile, fmt.Sprintf("%d.pprof", i.PID())), file); err != nil {
		return err
	}
	fmt.Fprintf(out, "%s:\n", name)
	return spent(ctx, file, m.Requests, out)
}
