// Package gate builds the released program and runs it as a process of its own.
package gate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"sallyport/bench/process"
)

// Build builds the program as a release has it, into dir, and returns its path.
// More flags of go build may follow. It must be called from within the repository.
func Build(ctx context.Context, dir string, flags ...string) (string, error) {
	root, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "sallyport").Output()
	if err != nil {
		return "", fmt.Errorf("where the program's source is: %w", err)
	}
	return BuildFrom(ctx, strings.TrimSpace(string(root)), dir, flags...)
}

// BuildFrom is Build for the repository at root.
func BuildFrom(ctx context.Context, root, dir string, flags ...string) (string, error) {
	file := filepath.Join(dir, "sallyport")
	args := append([]string{"build", "-trimpath", "-ldflags", "-s -w", "-o", file}, flags...)
	cmd := exec.CommandContext(ctx, "go", append(args, "./cmd/proxy")...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return file, nil
}

const (
	// startTimeout is far more than a gate takes to start, on a busy machine too.
	startTimeout = 20 * time.Second
	// look is how often a gate that starts is looked at: start-up is measured, and
	// takes some tens of milliseconds.
	look = time.Millisecond
)

// A Gate is a running process.
type Gate struct {
	*process.Process
	// Data and Admin are the addresses of its listeners.
	Data, Admin string
	// Took is how long it took to start, until /startupz was green.
	Took time.Duration
}

// Start starts the program with flags of serve, and returns once the gate says
// that it has started.
func Start(ctx context.Context, program string, flags ...string) (*Gate, error) {
	p, err := process.Start(program, append([]string{"serve"}, flags...)...)
	if err != nil {
		return nil, err
	}
	g := &Gate{Process: p}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := g.wait(ctx); err != nil {
		g.Stop()
		return nil, fmt.Errorf("the gate did not start: %w; its log:\n%s", err, g.Log())
	}
	return g, nil
}

func (g *Gate) wait(ctx context.Context) error {
	for {
		if started, err := g.started(); started || err != nil {
			g.Took = time.Since(g.Begun)
			return err
		}
		select {
		case <-time.After(look):
		case <-g.Done():
			return errors.New("it ended")
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// started reports whether /startupz is green, wherever the log says that it is.
func (g *Gate) started() (bool, error) {
	if g.Admin == "" {
		line := g.Line(`"msg":"serving"`)
		if line == "" {
			return false, nil
		}
		var at struct{ Listen, Admin string }
		if err := json.Unmarshal([]byte(line), &at); err != nil {
			return false, err
		}
		g.Data, g.Admin = at.Listen, at.Admin
	}
	resp, err := http.Get("http://" + g.Admin + "/startupz")
	if err != nil {
		return false, nil // not yet
	}
	resp.Body.Close()
	return resp.StatusCode == http.StatusOK, nil
}
