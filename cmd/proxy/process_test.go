package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

// processLimits are what a process of its own has less of.
type processLimits struct {
	Files    uint64 // open files; zero means as many as we have
	ReadOnly bool   // the root file system
}

// childEnv tells TestGateProcess that it is to be the gate.
const childEnv = "SALLYPORT_TEST_GATE"

type childSpec struct {
	Args   []string
	Limits processLimits
}

// A child is `sallyport serve` in a process of its own.
type child struct {
	data, admin string
	log         *logBuffer
	stderr      *os.File // our end
	hang        sync.Mutex
	process     *os.Process
	ended       chan struct{} // closed when it has
	err         error         // how; read it after ended
	read        chan struct{} // closed when all of the log is read
}

// startChild starts this test's binary again, as serve.
func startChild(w *world, l processLimits, args []string) *child {
	w.t.Helper()
	spec, err := json.Marshal(childSpec{append([]string{"serve"}, args...), l})
	must(w.t, err)
	cmd := exec.Command(os.Args[0], "-test.run=^TestGateProcess$")
	cmd.Env = append(os.Environ(), childEnv+"="+string(spec))
	if l.ReadOnly {
		cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
		if os.Getuid() != 0 { // root in a namespace may do it too
			cmd.SysProcAttr.Unshareflags |= syscall.CLONE_NEWUSER
			cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
			cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
		}
	}
	return w.child(cmd)
}

// buildProgram builds what is released, which no test and no race detector is in,
// and returns its path.
func buildProgram(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "sallyport")
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", file, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return file
}

// released starts the program that buildProgram has built, and waits until its start
// is over.
func (w *world) released(program string, args []string) *child {
	p := w.child(exec.Command(program, append([]string{"serve"}, w.flags(w.dir, args)...)...))
	w.eventually("started", func() bool {
		resp, err := http.Get("http://" + p.admin + "/startupz")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	return p
}

// child starts a gate, waits until it serves, and ends it with the test.
func (w *world) child(cmd *exec.Cmd) *child {
	w.t.Helper()
	ours, theirs, err := os.Pipe()
	must(w.t, err)
	cmd.Stderr = theirs
	must(w.t, cmd.Start())
	theirs.Close()
	c := &child{log: w.log, stderr: ours, process: cmd.Process, ended: make(chan struct{}), read: make(chan struct{})}
	go func() { defer close(c.ended); c.err = cmd.Wait() }()
	go c.follow()
	w.t.Cleanup(func() {
		c.process.Signal(syscall.SIGCONT)
		if err := c.end(); err != nil {
			w.t.Errorf("the gate ended with %v; log:\n%s", err, c.log.tail())
		}
		ours.Close()
	})
	deadline := time.Now().Add(15 * time.Second)
	for !c.serving() {
		if time.Now().After(deadline) {
			w.t.Fatalf("not serving within 15 s:\n%s", c.log)
		}
		time.Sleep(10 * time.Millisecond)
	}
	return c
}

// end ends the gate as a kubelet does, and says how it ended. It kills what does
// not end within 10 s.
func (c *child) end() error {
	c.process.Signal(syscall.SIGTERM)
	select {
	case <-c.ended:
	case <-time.After(10 * time.Second):
		c.process.Kill()
		<-c.ended
	}
	select {
	case <-c.read:
	case <-time.After(5 * time.Second): // somebody holds hang
	}
	return c.err
}

// rss returns the process's resident memory, in MiB.
func (c *child) rss(t *testing.T) float64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.process.Pid))
	must(t, err)
	_, rest, _ := strings.Cut(string(text), "VmRSS:")
	var kib float64
	if _, err := fmt.Sscan(rest, &kib); err != nil {
		t.Fatal(err)
	}
	return kib / 1024
}

// follow takes the log, except while somebody holds hang.
func (c *child) follow() {
	defer close(c.read)
	r := bufio.NewReader(c.stderr)
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		c.hang.Lock()
		c.log.Write([]byte(line))
		c.hang.Unlock()
	}
}

// serving takes the addresses from the line that the gate logs at its start.
func (c *child) serving() bool {
	for line := range strings.Lines(c.log.String()) {
		var said struct{ Msg, Listen, Admin string }
		if json.Unmarshal([]byte(line), &said) == nil && said.Msg == "serving" {
			c.data, c.admin = said.Listen, said.Admin
			return true
		}
	}
	return false
}

// TestGateProcess is no test: it is the process that startChild starts.
func TestGateProcess(t *testing.T) {
	text := os.Getenv(childEnv)
	if text == "" {
		t.Skip("only for tests that start it")
	}
	var spec childSpec
	must(t, json.Unmarshal([]byte(text), &spec))
	if n := spec.Limits.Files; n > 0 {
		must(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: n, Max: n}))
	}
	if spec.Limits.ReadOnly {
		must(t, readOnlyRoot())
		if f, err := os.CreateTemp("", ""); err == nil {
			t.Fatal("can still write ", f.Name())
		}
	}
	os.Args = append([]string{"sallyport"}, spec.Args...)
	main()
}

// readOnlyRoot makes everything that is mounted read-only, for this process's
// mount namespace: mount_setattr(2), Linux 5.12, of which package syscall knows
// nothing.
func readOnlyRoot() error {
	const (
		mountSetattr = 442 // on all architectures
		atFDCWD      = -100
		recursive    = 0x8000
		readOnly     = 0x1
	)
	root := []byte("/\x00")
	attr := [4]uint64{0: readOnly}
	cwd := atFDCWD
	_, _, errno := syscall.Syscall6(mountSetattr, uintptr(cwd), uintptr(unsafe.Pointer(&root[0])), recursive,
		uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr), 0)
	if errno != 0 {
		return os.NewSyscallError("mount_setattr", errno)
	}
	return nil
}

// What is logged last is not lost.
func TestLastLines(t *testing.T) {
	t.Parallel()
	w := around(t)
	c := startChild(w, processLimits{}, w.flags(w.dir, nil))
	must(t, c.end())
	if !strings.Contains(c.log.String(), `"msg":"stopped"`) {
		t.Errorf("that it stopped is not in the log:\n%s", c.log.tail())
	}
}

// Nor does a reader that hangs hold up the end.
func TestEndWithoutReader(t *testing.T) {
	t.Parallel()
	b := &broken{world: around(t)}
	b.child = startChild(b.world, processLimits{}, b.flags(b.dir, nil))
	b.data, b.admin, b.text = b.child.data, b.child.admin, b.child.log.String
	b.child.hang.Lock()
	defer b.child.hang.Unlock()
	b.chatter("sallyport_log_lines_dropped_total")
	must(t, b.child.process.Signal(syscall.SIGTERM))
	begun := time.Now()
	select {
	case <-b.child.ended:
	case <-time.After(10 * time.Second):
		t.Fatal("it has not ended within 10 s")
	}
	t.Logf("ended after %v", time.Since(begun).Round(time.Millisecond))
}
