package scenarios

import (
	"net/http"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// Given a gate that is ready,
// when the API server is away for many times --recheck, and for longer than
// --max-stale,
// then the gate is ready all the time, and so is its pod, though it lets nobody
// in at the end.
func TestOwnReadiness(t *testing.T) {
	const recheck, maxStale, outage = time.Second, 5 * time.Second, 12 * time.Second
	g := deployWith(t, serving("--recheck="+recheck.String(), "--max-stale="+maxStale.String()))
	c := troubledCaller(t)
	g.waitReached(t, c)
	known := c.request(t, gateAudience)
	g.admits(t, c, known, 0)
	since := readySince(g.look(t))
	failed := func() float64 {
		const reviews = "sallyport_tokenreviews_total"
		p := g.page(t)
		return p.sum(t, reviews) - p.sum(t, reviews, `result="yes"`)
	}
	before := failed()

	stopped := time.Now()
	killAPIServer(t)
	looks := 0
	for ; time.Since(stopped) < outage; time.Sleep(100 * time.Millisecond) {
		g.with(t, c, known) // has it rechecked
		if page, err := world.ask(t.Context(), "GET", &g.pod, 9901, "readyz", nil); err != nil {
			t.Fatalf("red after %v: %v", time.Since(stopped), err)
		} else if strings.TrimSpace(string(page)) != "ok" {
			t.Fatalf("/readyz: %s", page)
		}
		looks++
	}
	a := g.with(t, c, known)
	t.Logf("%d looks at /readyz in %.0f s without the API server, all green; the caller at the end: %v",
		looks, time.Since(stopped).Seconds(), a)
	if a.Status != http.StatusServiceUnavailable {
		t.Errorf("want 503: --max-stale is over")
	}
	if failed() <= before {
		t.Error("the metrics know of no failed review")
	}

	startAPIServer(t)
	g.admits(t, c, known, backTime)
	g.unchanged(t)
	if now := readySince(g.look(t)); now.IsZero() || !now.Equal(since) {
		t.Errorf("the pod is ready since %v, was since %v", now, since)
	}
}

// readySince returns since when the pod has been ready, zero if it is not.
func readySince(pod *corev1.Pod) time.Time {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue {
			return c.LastTransitionTime.Time
		}
	}
	return time.Time{}
}
