package cluster

import (
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"
)

// busy, in the environment, makes a program of the tests that has more threads at work
// than the machine has processors.
const busy = "SALLYPORT_E2E_BUSY"

func TestMain(m *testing.M) {
	if os.Getenv(busy) == "" {
		os.Exit(m.Run())
	}
	const threads = 16
	runtime.GOMAXPROCS(threads)
	// The thread that is told of signals, the first, is the last to run.
	if err := syscall.Setpriority(syscall.PRIO_PROCESS, os.Getpid(), 19); err != nil {
		panic(err)
	}
	for range threads - 1 {
		go write()
	}
	write()
}

func write() {
	for {
		os.Stdout.WriteString("x")
	}
}

// A program that is paused writes nothing more, until it goes on.
func TestPause(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &Process{Name: "busy", path: program, env: []string{busy + "=1"}, logs: t.TempDir()}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	defer p.Kill()
	written := func() int64 {
		info, err := os.Stat(filepath.Join(p.logs, "busy.log"))
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	for range 20 {
		until, was := time.Now().Add(20*time.Second), written()
		for written() == was {
			if time.Now().After(until) {
				t.Fatal("it does not run")
			}
			time.Sleep(time.Millisecond)
		}
		if err := p.Pause(); err != nil {
			t.Fatal(err)
		}
		was = written()
		time.Sleep(10 * time.Millisecond)
		if is := written(); is != was {
			t.Errorf("%d bytes were written in the pause", is-was)
		}
		if err := p.Signal(syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
	}
}
