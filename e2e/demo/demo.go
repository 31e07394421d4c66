// Package demo runs `sallyport demo` for tests that look at it from outside.
package demo

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

const (
	// life ends a demo that a dead test left behind. It is longer than any test.
	life = "5m"
	// building is enough for a cold build on two cores.
	building = 2 * time.Minute
)

// Build builds the product from this tree, in dir, and returns its file. It is for
// tests, which run in a folder of e2e.
func Build(dir string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), building)
	defer cancel()
	file := filepath.Join(dir, "sallyport")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", file, "./cmd/proxy")
	cmd.Dir = "../.."
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building sallyport: %w: %s", err, out)
	}
	return file, nil
}

// A Demo is one that runs.
type Demo struct {
	told chan struct{}
	end  context.CancelFunc
	cmd  *exec.Cmd
}

// Start starts a demo, and gives line what it tells, a line each, until it has ended.
func Start(program string, line func(string)) (*Demo, error) {
	ctx, end := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, program, "demo", "--duration="+life)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 15 * time.Second // its own grace is 2 s
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		end()
		return nil, err
	}
	d := &Demo{told: make(chan struct{}), end: end, cmd: cmd}
	go func() {
		defer close(d.told)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			line(lines.Text())
		}
	}()
	return d, nil
}

// Told is closed when it has told all.
func (d *Demo) Told() <-chan struct{} { return d.told }

// End ends it, and waits until it has.
func (d *Demo) End() {
	d.end()
	<-d.told
	_ = d.cmd.Wait() // its exit code is about its scenes, which have tests of their own
}
