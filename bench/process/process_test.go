package process

import (
	"os"
	"strings"
	"testing"
	"time"
)

// What a child does counts as its parent's.
func TestUsage(t *testing.T) {
	const spin = `i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; echo spun >&2; sleep 60`
	p, err := Start("/bin/sh", "-c", "trap 'kill -KILL 0' TERM; sh -c '"+spin+"' & echo started >&2; wait")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Stop()
	for p.Line("spun") == "" {
		select {
		case <-p.Done():
			t.Fatal("it ended")
		case <-t.Context().Done():
			t.Fatal("it does not end")
		case <-time.After(10 * time.Millisecond):
		}
	}
	u, err := p.Usage()
	if err != nil {
		t.Fatal(err)
	}
	parent, err := one(p.cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	if u.CPU < 3*tick || parent.CPU >= u.CPU || parent.RSS >= u.RSS || u.PeakRSS < u.RSS {
		t.Errorf("both %+v, the parent alone %+v", u, parent)
	}
	if log := p.Log(); !strings.HasPrefix(log, "started") {
		t.Errorf("log %q", log)
	}
}

func TestStop(t *testing.T) {
	p, err := Start("/bin/sh", "-c", "exec sleep 60")
	if err != nil {
		t.Fatal(err)
	}
	if !p.Running() {
		t.Error("it does not run")
	}
	p.Stop()
	if p.Running() {
		t.Error("it runs after Stop")
	}
	if _, err := p.Usage(); !os.IsNotExist(err) {
		t.Errorf("use of a process that has ended: %v", err)
	}
}

func TestHeld(t *testing.T) {
	start := func(redirections string) *Process {
		p, err := Start("/bin/sh", "-c", redirections+" exec sleep 60")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(p.Stop)
		return p
	}
	few, more := start(""), start("exec 7</dev/null 8</dev/null;")
	// A program that begins has files open for a moment.
	deadline := time.Now().Add(10 * time.Second)
	for {
		a, err1 := few.Held()
		b, err2 := more.Held()
		if err1 == nil && err2 == nil && a.Files >= 3 && b.Files == a.Files+2 && a.Threads == 1 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%+v, and with two more %+v; %v, %v", a, b, err1, err2)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
