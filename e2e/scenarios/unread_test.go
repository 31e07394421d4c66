package scenarios

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"sallyport/e2e/caller"
)

// Given a gate that logs each request, at level debug, and a lot of them,
// when containerd, which reads its log, is paused,
// then lines are dropped and counted, and known and new callers do not wait; and
// when it goes on, the log says that lines are missing.
func TestOwnUnreadLog(t *testing.T) {
	g, c := deployWith(t, serving("--log-level=debug")), troubledCaller(t)
	g.waitReached(t, c)
	known := c.request(t, gateAudience)
	g.admits(t, c, known, 0)
	began := time.Now()
	pause(t, world.cluster.Containerd)
	c.startLoad(t, caller.Load{Workers: 8,
		Request: caller.Request{URL: g.service + "/" + strings.Repeat("long/", 100)}})
	const dropped = "sallyport_log_lines_dropped_total"
	g.waitMetric(t, 0, dropped)
	t.Logf("the first line was dropped after %v", time.Since(began).Round(100*time.Millisecond))
	for range 5 { // beside the load
		g.promptly(t, c, caller.Request{Token: known}, http.StatusOK)
		g.promptly(t, c, caller.Request{Token: c.request(t, gateAudience), Alone: true}, http.StatusOK)
	}
	tally := c.stopLoad(t)
	t.Logf("%d requests were refused, the slowest after %v", tally.Statuses[http.StatusUnauthorized], tally.Slowest.Round(time.Millisecond))
	if tally.Sent != tally.Statuses[http.StatusUnauthorized] || tally.Slowest > promptly {
		t.Errorf("statuses %v: %q", tally.Statuses, tally.Problems)
	}
	g.is(t, true)

	goOn(t, world.cluster.Containerd)
	g.waitLogged(t, "that lines are missing", func(line map[string]any) bool {
		msg, _ := line["msg"].(string)
		return strings.Contains(msg, "log lines are missing here")
	}, func(line map[string]any) bool { return loggedSince(line, began) })
	g.unchanged(t)
}
