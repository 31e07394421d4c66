package scenarios

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sallyport/e2e/caller"
	"sallyport/internal/authn"
)

// Close codes of WebSockets: RFC 6455, section 7.4.1.
const (
	goingAway       = 1001
	policyViolation = 1008
)

// endSlack is what a stream's end may take beyond what it waits for: one second,
// and two busy cores.
const endSlack = 3 * time.Second

// Given WebSockets of two callers, and an app that refuses other upgrades,
// when the pod that one's token is bound to is deleted,
// then that WebSocket is closed with 1008 and the other one stays; and what the
// app has refused stays refused.
func TestSockets(t *testing.T) {
	t.Parallel()
	const recheck = 2 * time.Second
	g := deployWith(t, func(m *manifest) {
		m.testApp()
		m.serve("--recheck=" + recheck.String())
	})
	c := newCaller(t)
	g.waitReached(t, c)
	n := newVictimSpace(t)
	victim := callingPod{account: n.addAccount(t, "victim")}
	n.addPod(t, "victim")
	victim.pod = readyPod(t, n.name, "app=victim")
	token := victim.request(t, gateAudience)

	revoked := c.opens(t, g, caller.Socket{Token: token}, victim.user())
	stays := c.opens(t, g, caller.Socket{TokenFile: ownToken}, c.user())
	deleted, now := time.Now(), int64(0)
	if err := n.core.Pods(n.name).Delete(t.Context(), "victim", metav1.DeleteOptions{GracePeriodSeconds: &now}); err != nil {
		t.Fatal(err)
	}
	end := revoked(cacheTime + recheck + recheck/10 + 8*time.Second + endSlack)
	t.Logf("closed %.1f s after the pod was deleted, having lasted %.1f s", time.Since(deleted).Seconds(), end.Lasted.Seconds())
	end.is(t, policyViolation, "the credential was revoked")
	g.endedFor(t, authn.Revoked)

	if a := c.socket(t, caller.Socket{URL: g.socketURL("/"), TokenFile: ownToken, Most: promptly}); a.Status != http.StatusOK || a.Said > 0 {
		t.Errorf("an upgrade that the app refused: %+v", a)
	}
	// It was open all the time, and ends with its pod: the app ends first, and not
	// before its preStop, which takes as long as the gate's.
	least := time.Since(deleted) + drainDelay // it has been open for longer
	if err := world.client.CoreV1().Pods(g.namespace).Delete(t.Context(), g.pod.Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	end = stays(endTime)
	t.Logf("the one that was left: %+v", end)
	if end.Code != 0 || end.Lasted < least {
		t.Errorf("it ended before its app, within %v: %+v", least, end)
	}
}

// Given a gate that is an ordinary container, beside an app that outlives it, and
// a WebSocket,
// when the pod is deleted,
// then the WebSocket goes on while it drains and for --shutdown-grace, and is
// closed with 1001.
func TestSocketsInDrain(t *testing.T) {
	t.Parallel()
	const grace = 3 * time.Second
	g := deployWith(t, func(m *manifest) {
		m.testApp()
		m.serve("--shutdown-grace=" + grace.String())
		pod := m.pod()
		gate := pod.InitContainers[0]
		gate.RestartPolicy = nil
		pod.InitContainers, pod.Containers = nil, append(pod.Containers, gate)
		pod.Containers[0].Lifecycle.PreStop.Sleep.Seconds = int64((drainDelay + grace + endSlack).Seconds())
	})
	c := newCaller(t)
	g.waitReached(t, c)
	ends := c.opens(t, g, caller.Socket{TokenFile: ownToken}, c.user())
	deleted := time.Now()
	if err := world.client.CoreV1().Pods(g.namespace).Delete(t.Context(), g.pod.Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	end := ends(endTime)
	took := time.Since(deleted)
	t.Logf("closed %.1f s after the pod was deleted", took.Seconds())
	end.is(t, goingAway, "the server is shutting down")
	if took < drainDelay+grace || took > drainDelay+grace+stopMargin+endSlack {
		t.Errorf("want %v", drainDelay+grace)
	}
}

func (g *gate) socketURL(path string) string {
	return strings.Replace(g.service, "http://", "ws://", 1) + path
}

// opens has the caller open a WebSocket, and waits until the app has it. What it
// returns waits for the end, at most so long.
func (c *callingPod) opens(t *testing.T, g *gate, s caller.Socket, user string) func(most time.Duration) socketEnd {
	t.Helper()
	s.URL, s.Most = g.socketURL("/socket"), 2*time.Minute
	ended := make(chan socketEnd, 1)
	go func() {
		data, err := world.ask(t.Context(), "POST", &c.pod, caller.Port, "socket", s)
		e := socketEnd{err: err}
		if err == nil {
			e.err = json.Unmarshal(data, &e.Closed)
		}
		ended <- e
	}()
	waitBegan(t, &g.pod, user)
	return func(most time.Duration) socketEnd {
		t.Helper()
		select {
		case e := <-ended:
			if e.err != nil {
				t.Fatal(e.err)
			}
			return e
		case <-time.After(most):
			t.Fatalf("it is open after %v", most)
			return socketEnd{}
		}
	}
}

// A socketEnd is how a WebSocket has ended, or why the caller does not tell.
type socketEnd struct {
	caller.Closed
	err error
}

// is checks the close frame.
func (e socketEnd) is(t *testing.T, code int, reason string) {
	t.Helper()
	if e.Status != http.StatusSwitchingProtocols || e.Said == 0 || e.Code != code || e.Reason != reason {
		t.Errorf("%+v, want %d %q", e.Closed, code, reason)
	}
}

// socket opens a WebSocket, and returns how it has ended.
func (c *callingPod) socket(t *testing.T, s caller.Socket) (closed caller.Closed) {
	t.Helper()
	c.do(t, "POST", "socket", s, &closed)
	return closed
}

// endedFor waits until log and metrics tell of a stream that was ended for this
// reason.
func (g *gate) endedFor(t *testing.T, reason authn.Reason) {
	t.Helper()
	g.waitLogged(t, "the end of the WebSocket", func(line map[string]any) bool { return line["path"] == "/socket" },
		func(line map[string]any) bool {
			return line["reason"] == string(reason) && line["detail"] == "ended while under way"
		})
	if n := g.metric(t, "sallyport_streams_ended_total", reasonLabel(reason)); n != 1 {
		t.Errorf("the metrics know of %v", n)
	}
}
