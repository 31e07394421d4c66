package scenarios

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"sallyport/e2e/caller"
	"sallyport/e2e/wait"
	"sallyport/internal/authn"
)

// restartTime is how soon a gate must serve again that was killed. The kubelet
// looks at containers each second, and our probes are a second apart.
const restartTime = 5 * time.Second

// Given a caller and somebody without a token, both with constant load,
// when the gate is killed by SIGKILL,
// then the caller gets 200 or no answer, the other never anything but 401 or no
// answer, the app never sees a request without a user, and the gate serves again
// within 5 s.
func TestOwnKill(t *testing.T) {
	g := deployWith(t, func(m *manifest) { m.testApp() })
	known, stranger := newCaller(t), newCaller(t)
	g.waitReached(t, known)
	known.startLoad(t, caller.Load{Workers: 4, Pause: 20 * time.Millisecond,
		Request: caller.Request{URL: g.service + "/load", TokenFile: ownToken}})
	// Past the Service, which knows no endpoint for a while: it sees the gate's
	// very first moments.
	stranger.startLoad(t, caller.Load{Workers: 4, Pause: 5 * time.Millisecond,
		Request: caller.Request{URL: "http://" + g.pod.Status.PodIP + ":8443/attack"}})
	known.waitSent(t, someRequests)
	stranger.waitSent(t, someRequests)

	_, id, _ := strings.Cut(containerStatus(&g.pod, "sallyport").ContainerID, "://")
	killed := time.Now()
	if err := world.cluster.KillContainer(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	took := g.waitRestarted(t, known, killed)
	t.Logf("served again after %.1f s", took.Seconds())
	if took > restartTime {
		t.Errorf("that is more than %v", restartTime)
	}
	known.waitSent(t, known.readLoad(t).Sent+someRequests)
	stranger.waitSent(t, stranger.readLoad(t).Sent+someRequests)

	g.only(t, "caller", known, http.StatusOK)
	g.only(t, "stranger", stranger, http.StatusUnauthorized)
	a := known.call(t, caller.Request{URL: g.service + "/", TokenFile: ownToken})
	if s := seen(t, a); s.Anonymous > 0 || s.User != known.user() {
		t.Errorf("the app saw %+v", s)
	}
	if g.metric(t, "sallyport_requests_total", `code="401"`, reasonLabel(authn.Missing)) == 0 {
		t.Error("the metrics know of nobody without a token")
	}
	pod := g.look(t)
	if s := containerStatus(pod, "sallyport"); s.RestartCount != 1 || s.LastTerminationState.Terminated == nil ||
		s.LastTerminationState.Terminated.ExitCode != 137 { // 128 + SIGKILL
		t.Errorf("the gate: %+v", s)
	}
	if s := containerStatus(pod, "app"); s.RestartCount > 0 {
		t.Errorf("the app was restarted: %+v", s)
	}
}

// waitRestarted waits until the gate has been started again, the pod is ready and
// the caller is served, and returns how long that took.
func (g *gate) waitRestarted(t *testing.T, c *callingPod, killed time.Time) (took time.Duration) {
	t.Helper()
	err := wait.For(t.Context(), "the gate", podTime, func(context.Context) error {
		pod := g.look(t)
		if s := containerStatus(pod, "sallyport"); s.RestartCount == 0 {
			return errors.New("not restarted")
		}
		if !isReady(pod) {
			return notReady(*pod)
		}
		if a := c.call(t, caller.Request{URL: g.service + "/", TokenFile: ownToken}); a.Status != http.StatusOK {
			return fmt.Errorf("answer: %v", a)
		}
		took = time.Since(killed)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return took
}

// only ends the load, and checks that all answers had this status.
func (g *gate) only(t *testing.T, who string, c *callingPod, status int) {
	t.Helper()
	tally := c.stopLoad(t)
	t.Logf("%s: %d requests, statuses %v", who, tally.Sent, tally.Statuses)
	for s := range tally.Statuses {
		if s != status && s != 0 {
			t.Errorf("%s: statuses %v: %q", who, tally.Statuses, tally.Problems)
		}
	}
	if tally.Statuses[0] == 0 {
		t.Errorf("%s noticed nothing: was the gate killed?", who)
	}
}
