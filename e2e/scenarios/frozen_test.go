package scenarios

import (
	"context"
	"errors"
	"net"
	"net/http"
	"syscall"
	"testing"
	"time"

	"sallyport/e2e/caller"
	"sallyport/e2e/wait"
)

// frozenTime is how long the gate gets no CPU.
const frozenTime = 5 * time.Second

// Given a caller with constant load, past the Service,
// when the gate's process is stopped for 5 s,
// then no request is lost, none waits much longer than that, the kubelet does not
// restart it, and its pod, which was not ready meanwhile, is so again.
func TestOwnFrozen(t *testing.T) {
	g, c := deployWith(t, func(*manifest) {}), troubledCaller(t)
	g.waitReached(t, c)
	since := readySince(g.look(t))
	direct := "http://" + net.JoinHostPort(g.pod.Status.PodIP, "8443")
	known := c.request(t, gateAudience)
	g.admits(t, c, known, 0)
	fresh := c.request(t, gateAudience)
	c.startLoad(t, caller.Load{Request: caller.Request{URL: direct + "/load", Token: known}, Workers: 4, Pause: 50 * time.Millisecond})
	c.waitSent(t, someRequests)

	pid := g.pid(t)
	thaw := func() error { return syscall.Kill(pid, syscall.SIGCONT) }
	t.Cleanup(func() { thaw() })
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	thawed := make(chan error, 1)
	stopped := time.AfterFunc(frozenTime, func() { thawed <- thaw() })
	defer stopped.Stop()
	a := c.call(t, caller.Request{URL: direct + "/new", Token: fresh, Alone: true})
	if a.Status != http.StatusOK || a.Took > frozenTime+promptly {
		t.Errorf("a new caller: %v after %v", a, a.Took)
	}
	if err := <-thawed; err != nil {
		t.Fatal(err)
	}
	c.waitSent(t, c.readLoad(t).Sent+someRequests)
	tally := c.stopLoad(t)
	t.Logf("known caller: %d requests, %d failed, slowest %v; new caller: %v", tally.Sent, tally.Failed(), tally.Slowest.Round(time.Millisecond), a.Took.Round(time.Millisecond))
	if tally.Failed() > 0 || tally.Slowest < frozenTime-time.Second || tally.Slowest > frozenTime+promptly {
		t.Errorf("statuses %v: %q", tally.Statuses, tally.Problems)
	}

	err := wait.For(t.Context(), "the pod", backTime, func(context.Context) error {
		switch now := readySince(g.look(t)); {
		case now.IsZero():
			return errors.New("it is not ready")
		case now.Equal(since):
			return errors.New("it was ready all the time")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	g.waitReached(t, c)
	g.unchanged(t)
}
