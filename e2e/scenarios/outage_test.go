package scenarios

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sallyport/e2e/caller"
	"sallyport/internal/authn"
)

// What the gates of these scenarios are told: the defaults are 30 s and 10 min.
const (
	recheck = 2 * time.Second
	// Twice as long as a pause of the API server is here when the machine is busy.
	maxStale = 30 * time.Second
)

// troubled returns the gate of a mode, and the caller, that these scenarios
// share.
func troubled(t *testing.T, mode string) (*gate, *callingPod) {
	t.Helper()
	g := deployShared(t, "--mode="+mode, "--recheck="+recheck.String(), "--max-stale="+maxStale.String())
	c := troubledCaller(t)
	g.waitReached(t, c)
	return g, c
}

// Given a caller that is known, with constant load, and one that is not,
// when the API server is killed,
// then the known one goes on for max-stale and the other gets 503 at once, and in
// mode oidc nobody notices;
// and when it is back, both are let in, by the gate that was there all the time.
func TestOwnOutage(t *testing.T) {
	g, c := troubled(t, "hybrid")
	known, unknown := c.request(t, gateAudience), c.request(t, gateAudience)
	others := otherModes(t, c, known)
	g.admits(t, c, known, 0)

	c.startLoad(t, caller.Load{Request: caller.Request{URL: g.service + "/load", Token: known}, Workers: 4, Pause: 50 * time.Millisecond})
	stopped := time.Now()
	killAPIServer(t)
	g503 := g.with(t, c, unknown)
	if g503.Status != http.StatusServiceUnavailable || complete(g503) != nil || g503.Took > slowest {
		t.Errorf("a new caller: %v after %v", g503, g503.Took)
	}
	others.goOn(t, c, known, unknown)
	// A confirmation may be as old as recheck when the outage begins.
	time.Sleep(time.Until(stopped.Add(maxStale - recheck - time.Second)))
	tally := c.stopLoad(t)
	t.Logf("known caller: %d requests during the outage, %d failed, slowest %v", tally.Sent, tally.Failed(), tally.Slowest.Round(time.Millisecond))
	if tally.Failed() > 0 || tally.Sent < 100 {
		t.Errorf("statuses %v: %q", tally.Statuses, tally.Problems)
	}
	for g.with(t, c, known).Status == http.StatusOK && time.Since(stopped) < 2*maxStale {
		time.Sleep(200 * time.Millisecond)
	}
	stale := time.Since(stopped)
	t.Logf("known caller: served for %v", stale.Round(100*time.Millisecond))
	if stale < maxStale-recheck || stale > maxStale+recheck {
		t.Errorf("want max-stale, %v", maxStale)
	}

	away := time.Now()
	startAPIServer(t)
	t.Logf("API server back: new caller let in after %v, known one after %v more",
		g.admits(t, c, unknown, backTime).Round(100*time.Millisecond), g.admits(t, c, known, backTime).Round(100*time.Millisecond))
	others.letIn(t, c, unknown)
	g.toldUntil(t, stopped, away, authn.ReviewFailed)
	g.unchanged(t)
}

// Given the same callers,
// when the API server is paused, so that it takes connections and says nothing,
// then nobody hangs: the known one goes on, the other gets 503.
func TestOwnPause(t *testing.T) {
	g, c := troubled(t, "hybrid")
	known, unknown := c.request(t, gateAudience), c.request(t, gateAudience)
	others := otherModes(t, c, known)
	g.admits(t, c, known, 0)
	c.startLoad(t, caller.Load{Request: caller.Request{URL: g.service + "/load", Token: known}, Workers: 4, Pause: 50 * time.Millisecond})

	began := time.Now()
	pauseAPIServer(t)
	// At the same time, or the one or the other would last longer than max-stale.
	var beside sync.WaitGroup
	beside.Go(func() { others.goOn(t, c, known, unknown) })
	for i := range 5 { // more than one round of probing
		most := time.Second // it is known then that nobody answers
		if i == 0 {
			most = slowest
		}
		if a := g.with(t, c, unknown); a.Status != http.StatusServiceUnavailable || complete(a) != nil || a.Took > most {
			t.Errorf("new caller's request %d: %v after %v", i, a, a.Took)
		}
		time.Sleep(recheck)
	}
	beside.Wait()
	tally := c.stopLoad(t)
	t.Logf("known caller: %d requests in %v of pause, %d failed, slowest %v",
		tally.Sent, time.Since(began).Round(time.Second), tally.Failed(), tally.Slowest.Round(time.Millisecond))
	if tally.Failed() > 0 || tally.Sent < 100 || tally.Slowest > slowest {
		t.Errorf("statuses %v: %q", tally.Statuses, tally.Problems)
	}

	away := time.Now()
	if err := world.cluster.APIServer.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	t.Logf("API server goes on: new caller let in after %v", g.admits(t, c, unknown, backTime).Round(100*time.Millisecond))
	others.letIn(t, c, unknown)
	g.toldUntil(t, began, away, authn.ReviewFailed)
	g.unchanged(t)
}

// gatesByMode are gates of the other modes.
type gatesByMode map[string]*gate

// otherModes returns them, with a caller that they know.
func otherModes(t *testing.T, c *callingPod, known string) gatesByMode {
	t.Helper()
	gates := gatesByMode{}
	for _, mode := range []string{"oidc", "tokenreview"} {
		gates[mode], _ = troubled(t, mode)
		gates[mode].admits(t, c, known, 0)
	}
	return gates
}

// goOn checks what they answer while there is no API server: mode oidc needs none,
// in tokenreview only those go on who are known, and the first new one may wait.
func (m gatesByMode) goOn(t *testing.T, c *callingPod, known, unknown string) {
	t.Helper()
	for range 3 {
		for _, token := range []string{known, unknown} {
			m["oidc"].promptly(t, c, caller.Request{Token: token}, http.StatusOK)
		}
		m["tokenreview"].within(t, c, caller.Request{Token: known}, http.StatusOK, slowest)
		m["tokenreview"].within(t, c, caller.Request{Token: unknown}, http.StatusServiceUnavailable, slowest)
	}
}

// letIn waits until each lets a new caller in: in tokenreview the next look at the
// API server may be some seconds away, and others come to these gates after us.
func (m gatesByMode) letIn(t *testing.T, c *callingPod, unknown string) {
	t.Helper()
	for mode, g := range m {
		t.Logf("mode %s: new caller let in after %v", mode, g.admits(t, c, unknown, backTime).Round(100*time.Millisecond))
	}
}

func killAPIServer(t *testing.T) {
	t.Helper()
	if err := world.cluster.APIServer.Kill(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		select {
		case <-world.cluster.APIServer.Done(): // the test did not come that far
			startAPIServer(t)
		default:
		}
	})
}

func startAPIServer(t *testing.T) {
	t.Helper()
	if err := world.cluster.APIServer.Start(); err != nil {
		t.Fatal(err)
	}
	if err := world.cluster.WaitServed(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
}

func pauseAPIServer(t *testing.T) {
	t.Helper()
	if err := world.cluster.APIServer.Pause(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := world.cluster.APIServer.Signal(syscall.SIGCONT); err != nil {
			t.Error(err)
		}
		if err := world.cluster.WaitServed(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

// unchanged checks that the gate's pod is the one that it was, and that none of
// its containers was started again.
func (g *gate) unchanged(t *testing.T) {
	t.Helper()
	pod, err := world.client.CoreV1().Pods(g.namespace).Get(t.Context(), g.pod.Name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		if s.RestartCount > 0 {
			t.Errorf("%s was restarted %d times", s.Name, s.RestartCount)
		}
	}
	if pod.UID != g.pod.UID {
		t.Errorf("pod %v, was %v", pod.UID, g.pod.UID)
	}
}
