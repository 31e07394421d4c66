package scenarios

import (
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sallyport/e2e/app"
	"sallyport/e2e/caller"
)

// slowRequest is longer than the app's preStop sleeps, so that requests which are
// begun when the pod is deleted are under way when the app's SIGTERM comes.
const slowRequest = 8 * time.Second

// someRequests go to both of two pods, in all likelihood and more.
const someRequests = 100

// Given two pods of an app that finishes its requests, and callers that keep
// their connections, open new ones, and wait for seconds,
// when one pod is deleted,
// then every request is answered by an app; the endpoint is gone and readiness
// is red before the app is told to end; and both containers exit with 0, the
// gate's last.
func TestDeletion(t *testing.T) {
	t.Parallel()
	g := applyWith(t, func(m *manifest) {
		two := int32(2)
		m.Deployment.Spec.Replicas = &two
		m.testApp()
	})
	pods := readyPods(t, g.namespace, "app="+gateName, 2)
	doomed := &pods[0]
	g.pod = pods[1] // the one whose metrics are there at the end

	kept := newPressure(t, "kept connections", caller.Load{Workers: 16, Pause: 100 * time.Millisecond})
	fresh := newPressure(t, "new connections", caller.Load{Workers: 4, Pause: 20 * time.Millisecond,
		Request: caller.Request{Alone: true}})
	slow := newPressure(t, "slow", caller.Load{Workers: 16,
		Request: caller.Request{URL: "?delay=" + slowRequest.String()}})
	g.waitReached(t, slow.callingPod)
	for _, p := range []*pressure{kept, fresh} {
		p.start(t, g)
		p.waitSent(t, someRequests)
	}
	slow.start(t, g)
	waitBegan(t, doomed, slow.user())

	failed := g.failed(t)
	readApp, readGate := follow(t, doomed, "app"), follow(t, doomed, "sallyport")
	end := watchEnd(t, doomed)
	if err := world.client.CoreV1().Pods(doomed.Namespace).Delete(t.Context(), doomed.Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if n := (&gate{namespace: g.namespace, pod: *doomed}).metric(t, "sallyport_in_flight_requests"); n == 0 {
		t.Error("the metrics of the gate that drains know of no request under way")
	}
	end.wait(t)

	appLog := events(t, readApp())
	gateLog, err := logLines(readGate())
	if err != nil {
		t.Error(err)
	}
	end.inOrder(t, appLog, loggedAt(t, gateLog, "stopped"))
	for _, p := range []*pressure{kept, fresh, slow} {
		p.noneLost(t, event(t, appLog, app.Ended))
	}
	// Or else it was not tried.
	if told := event(t, appLog, app.Terminated); told.UnderWay[slow.user()] == 0 {
		t.Errorf("no slow request was under way when the app was told to end: %v", told.UnderWay)
	}
	if n := g.failed(t) - failed; n > 0 {
		t.Errorf("the metrics of the gate that stays tell of %v failed requests", n)
	}
	// Beside what goes wrong it has a sample of what does not.
	wrong := slices.DeleteFunc(append(gateLog, g.logged(t, func(map[string]any) bool { return true })...),
		func(line map[string]any) bool { return line["path"] != "/" || letThrough(line) })
	if len(wrong) > 0 {
		t.Errorf("the gates tell of %d requests, the first: %v", len(wrong), wrong[0])
	}
}

// A pressure is a caller with its load.
type pressure struct {
	*callingPod
	name string
	load caller.Load
}

// newPressure has requests sent by POST, which Go's client does not send again
// by itself: it hides nothing.
func newPressure(t *testing.T, name string, l caller.Load) *pressure {
	t.Helper()
	l.Method, l.TokenFile = "POST", ownToken
	return &pressure{newCaller(t), name, l}
}

func (p *pressure) start(t *testing.T, g *gate) {
	t.Helper()
	l := p.load
	l.URL = g.service + "/" + l.URL
	p.startLoad(t, l)
}

// noneLost ends the load, and checks that all of it was answered, some of it by
// the app that has ended.
func (p *pressure) noneLost(t *testing.T, ended app.Event) {
	t.Helper()
	tally := p.stopLoad(t)
	t.Logf("%s: %d requests, %d of them to the deleted pod, %d failed", p.name, tally.Sent, ended.Answered[p.user()], tally.Failed())
	if tally.Failed() > 0 {
		t.Errorf("%s: statuses %v: %q", p.name, tally.Statuses, tally.Problems)
	}
	if ended.Answered[p.user()] == 0 {
		t.Errorf("%s: no request came to the deleted pod", p.name)
	}
	if ended.Anonymous > 0 {
		t.Errorf("the app saw %d requests without a user", ended.Anonymous)
	}
}

// inOrder checks the order of a pod's end, and how its containers ended.
func (e *ending) inOrder(t *testing.T, appLog []app.Event, stopped time.Time) {
	t.Helper()
	told, ended := event(t, appLog, app.Terminated).Time, event(t, appLog, app.Ended).Time
	for _, step := range []struct {
		what string
		at   time.Time
	}{
		{"endpoint gone", e.endpoint}, {"readiness red", e.unready}, {"the app's SIGTERM", told},
		{"the app's end", ended}, {"the gate's end", stopped}, {"pod gone", e.gone},
	} {
		t.Logf("%5.1f s %s", step.at.Sub(e.began).Seconds(), step.what)
	}
	if !e.endpoint.Before(told) || !e.unready.Before(told) {
		t.Error("the app was told to end before everybody knew")
	}
	if !stopped.After(ended) {
		t.Error("the gate has ended before the app")
	}
	for _, container := range []string{"app", "sallyport"} {
		if s := e.exit(t, container); s.ExitCode != 0 {
			t.Errorf("%s: %s with %d", container, s.Reason, s.ExitCode)
		}
	}
}

// failed is how many requests the gate has not answered with 200, by its metrics,
// without those whose caller had gone: the kubelet waits for no more than 1 s.
func (g *gate) failed(t *testing.T) float64 {
	t.Helper()
	const requests = "sallyport_requests_total"
	p := g.page(t)
	return p.sum(t, requests) - p.sum(t, requests, `code="200"`) - p.sum(t, requests, `code="499"`)
}
