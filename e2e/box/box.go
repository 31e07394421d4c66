// Package box runs this program again in namespaces of its own: processes,
// mounts, network, host name. All that is started, mounted, routed or filtered
// in there ends with its first process, however that ends: a kubelet's mounts,
// containerd's shims and kube-proxy's rules need nobody to undo them. And two
// boxes at once know nothing of each other.
//
// It needs root. What it cannot take away is control groups, which have no
// namespace where version 1 is in use: see Remove.
package box

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

// The environment variable that tells a program where it is: unset outside,
// then the first process of the box, then the program itself.
const stage = "SALLYPORT_E2E_BOX"

const (
	first  = "first"
	inside = "inside"
)

// Inside tells whether this process is in a box already. A program calls it
// first of all: it does not return in the box's first process.
func Inside() bool {
	switch os.Getenv(stage) {
	case inside:
		return true
	case first:
		code, err := settle()
		if err != nil {
			fmt.Fprintln(os.Stderr, "box:", err)
			code = 1
		}
		os.Exit(code)
	}
	return false
}

// A Box is a run of this program in namespaces of its own.
type Box struct {
	Dir  string    // its folder; its control groups have the name of it, which must be nobody else's
	Args []string  // the program's arguments
	Env  []string  // beside this program's
	Out  io.Writer // what it writes to standard output and error
}

// Run returns the program's exit code when nothing of the box is left running.
// An interrupt ends the box at once, as does the end of the process that called
// Run. Boxes may run at the same time.
func (b Box) Run() (int, error) {
	// The kernel kills the box when the thread ends that started it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	interrupts := make(chan os.Signal, 1)
	signal.Notify(interrupts, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(interrupts)

	if err := makeCgroups(filepath.Base(b.Dir)); err != nil {
		return 1, err
	}
	cmd := b.command()
	if err := cmd.Start(); err != nil {
		return 1, fmt.Errorf("new namespaces: %w", err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	select {
	case <-done:
		return cmd.ProcessState.ExitCode(), nil
	case s := <-interrupts:
		// The kernel ends everything in there before it lets us see the end of
		// the first process.
		cmd.Process.Kill()
		<-done
		return 1, fmt.Errorf("ended by signal: %v", s)
	}
}

func (b Box) command() *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", b.Args...)
	cmd.Env = append(append(os.Environ(), b.Env...), stage+"="+first)
	cmd.Stdout, cmd.Stderr = b.Out, b.Out
	// What it wrote has come by then; nothing is left that could write more.
	cmd.WaitDelay = 5 * time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS | syscall.CLONE_NEWNET |
			syscall.CLONE_NEWIPC | syscall.CLONE_NEWUTS,
		Pdeathsig: syscall.SIGKILL,
		// A terminal's interrupt is for us alone to act on.
		Setpgid: true,
	}
	return cmd
}
