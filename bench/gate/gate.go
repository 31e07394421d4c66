// Package gate runs the released program as a process of its own, and says what
// it takes of the machine.
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
	"syscall"
	"time"
)

// Build builds the program as a release has it, into dir, and returns its path.
// It must be called from within the repository.
func Build(ctx context.Context, dir string) (string, error) {
	root, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "sallyport").Output()
	if err != nil {
		return "", fmt.Errorf("where the program's source is: %w", err)
	}
	file := filepath.Join(dir, "sallyport")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", file, "./cmd/proxy")
	cmd.Dir = strings.TrimSpace(string(root))
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return file, nil
}

// startTimeout is far more than a gate takes to start, on a busy machine too.
const startTimeout = 20 * time.Second

// A Gate is a running process.
type Gate struct {
	// Data and Admin are the addresses of its listeners.
	Data, Admin string

	cmd  *exec.Cmd
	log  *tail
	done chan struct{} // closed when the process has ended
}

// Start starts the program with flags of serve, and returns once the gate says
// that it has started.
func Start(ctx context.Context, program string, flags ...string) (*Gate, error) {
	g := &Gate{cmd: exec.Command(program, append([]string{"serve"}, flags...)...), done: make(chan struct{})}
	// A pipe, as a container's runtime gives it: its log costs the gate what it
	// costs in a cluster, and fills no disk.
	stderr, err := g.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := g.cmd.Start(); err != nil {
		return nil, err
	}
	serving := make(chan string, 1)
	g.log = &tail{}
	go func() {
		defer close(g.done)
		g.log.follow(stderr, serving)
		_ = g.cmd.Wait() // Stop asks for the end; a crash shows as requests that fail
	}()
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := g.wait(ctx, serving); err != nil {
		g.Stop()
		return nil, fmt.Errorf("the gate did not start: %w; its log:\n%s", err, g.log)
	}
	return g, nil
}

func (g *Gate) wait(ctx context.Context, serving <-chan string) error {
	select {
	case line := <-serving:
		var at struct{ Listen, Admin string }
		if err := json.Unmarshal([]byte(line), &at); err != nil {
			return err
		}
		g.Data, g.Admin = at.Listen, at.Admin
	case <-g.done:
		return errors.New("it ended")
	case <-ctx.Done():
		return ctx.Err()
	}
	for {
		resp, err := http.Get("http://" + g.Admin + "/startupz")
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-g.done:
			return errors.New("it ended")
		case <-ctx.Done():
			return fmt.Errorf("/startupz: %w", ctx.Err())
		}
	}
}

// Stop ends the process, and kills it where that takes more than 5 s.
func (g *Gate) Stop() {
	_ = g.cmd.Process.Signal(syscall.SIGTERM) // it may have ended already
	select {
	case <-g.done:
	case <-time.After(5 * time.Second):
		_ = g.cmd.Process.Kill()
		<-g.done
	}
}

// Running reports whether the process has not ended.
func (g *Gate) Running() bool {
	select {
	case <-g.done:
		return false
	default:
		return true
	}
}

// Log returns the last lines of its log.
func (g *Gate) Log() string { return g.log.String() }
