// Package process runs programs beside the driver, and says what they take of the
// machine.
package process

import (
	"os/exec"
	"syscall"
	"time"
)

// grace is how long a program may take to end by itself.
const grace = 5 * time.Second

// A Process is a running program, with whatever it started itself.
type Process struct {
	// Begun is when it was started.
	Begun time.Time

	cmd  *exec.Cmd
	log  *tail
	done chan struct{} // closed when it has ended
}

// Start starts a program. It ends with the driver, whatever ends that.
func Start(program string, args ...string) (*Process, error) {
	p := &Process{cmd: exec.Command(program, args...), log: &tail{}, done: make(chan struct{})}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM, Setpgid: true}
	// A pipe, as a container's runtime gives it: its log costs a program what it
	// costs in a cluster, and fills no disk.
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	p.Begun = time.Now()
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(p.done)
		p.log.follow(stderr)
		_ = p.cmd.Wait() // Stop asks for the end; a crash shows as requests that fail
	}()
	return p, nil
}

// Stop ends the process, and kills it with whatever it started where that takes too
// long.
func (p *Process) Stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended already
	select {
	case <-p.done:
	case <-time.After(grace):
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) // the group, which is its own
		<-p.done
	}
}

// Signal sends a signal, to a process that has ended none.
func (p *Process) Signal(s syscall.Signal) { _ = p.cmd.Process.Signal(s) }

// PID is its number.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Running reports whether the process has not ended.
func (p *Process) Running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// Log returns the last lines of its log.
func (p *Process) Log() string { return p.log.String() }

// Line returns the first whole line of those that holds what, or "".
func (p *Process) Line(what string) string { return p.log.line(what) }

// Usage says what it and all that descend from it have taken.
func (p *Process) Usage() (Usage, error) { return Of(p.cmd.Process.Pid) }
