package cluster

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"
)

// A Process is one of the cluster's programs, which can be stopped, paused and
// started again. What it writes goes to the end of its log.
type Process struct {
	Name string
	path string
	args []string
	env  []string
	logs string // folder

	mu   sync.Mutex
	cmd  *exec.Cmd
	done chan struct{}
	err  error // set before done is closed
}

// stopTime is how long a program has to end by itself, before it is killed. The
// slowest is the API server, with requests to finish.
const stopTime = 15 * time.Second

// Start starts the program. It does not wait for it to be of use.
func (p *Process) Start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	log, err := os.OpenFile(filepath.Join(p.logs, p.Name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close() // the program has it open too
	cmd := exec.Command(p.path, p.args...)
	cmd.Env = append(os.Environ(), p.env...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", p.Name, err)
	}
	done := make(chan struct{})
	p.cmd, p.done = cmd, done
	go func() {
		err := cmd.Wait()
		p.mu.Lock()
		p.err = err
		p.mu.Unlock()
		close(done)
	}()
	return nil
}

// Stop asks the program to end, kills it after 15 s, and returns when it is gone.
func (p *Process) Stop() error {
	if err := p.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-p.Done():
		return nil
	case <-time.After(stopTime):
	}
	return p.Kill()
}

// Kill ends the program at once, and returns when it is gone.
func (p *Process) Kill() error {
	if err := p.Signal(syscall.SIGKILL); err != nil {
		return err
	}
	<-p.Done()
	return nil
}

// Restart stops the program and starts it again, with changed arguments where
// some are given.
func (p *Process) Restart(args ...string) error {
	if err := p.Stop(); err != nil {
		return err
	}
	if len(args) > 0 {
		p.args = args
	}
	return p.Start()
}

// Pause stops the program until SIGCONT comes, and returns when none of its threads
// runs: on a busy machine some go on for a while after the signal, and answer.
func (p *Process) Pause() error {
	if err := p.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	p.mu.Lock()
	threads := fmt.Sprintf("/proc/%d/task/*/stat", p.cmd.Process.Pid)
	p.mu.Unlock()
	for until := time.Now().Add(stopTime); runs(threads); time.Sleep(time.Millisecond) {
		if time.Now().After(until) {
			return fmt.Errorf("pause %s: it runs after %v", p.Name, stopTime)
		}
	}
	return nil
}

// runs reports whether any of the threads is not stopped. Its state is behind its
// name, which may have any bytes (proc_pid_stat(5)).
func runs(threads string) bool {
	all, _ := filepath.Glob(threads) // the pattern is well-formed
	return slices.ContainsFunc(all, func(file string) bool {
		stat, err := os.ReadFile(file)
		return err == nil && !bytes.HasPrefix(stat[bytes.LastIndexByte(stat, ')')+1:], []byte(" T "))
	})
}

// Signal sends s to the program. That it has ended already is no error.
func (p *Process) Signal(s syscall.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("signal %s: %w", p.Name, err)
	}
	return nil
}

// Done is closed when the program, as it was last started, has ended.
func (p *Process) Done() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.done
}

// alive returns an error that names the log once the program has ended.
func (p *Process) alive() error {
	select {
	case <-p.Done():
		return fmt.Errorf("%s has ended (%v): see %s.log in %s", p.Name, p.err, p.Name, p.logs)
	default:
		return nil
	}
}
