package main

import (
	"strings"
	"testing"
	"time"

	"sallyport/internal/minicluster"
)

// Who calls is counted by name where that was proven and asked for.
func TestCallerMetrics(t *testing.T) {
	t.Parallel()
	w := start(t, append(apiAudience, "--audience="+audience, "--caller-metrics=1", "--stale-tokens=refuse", "--max-token-lifetime=2h")...)
	w.cluster.CreateServiceAccount("ns", "second")
	second, err := w.cluster.Token(minicluster.Request{Namespace: "ns", ServiceAccount: "second", Audiences: []string{audience}})
	must(t, err)
	long, err := w.cluster.Token(minicluster.Request{Namespace: "ns", ServiceAccount: "caller", Pod: "caller-0", Audiences: []string{audience}, TTL: 3 * time.Hour})
	must(t, err)
	const caller, series = `{caller="system:serviceaccount:ns:caller"}`, "sallyport_caller_"
	w.want(200, w.token())
	w.want(200, w.token())
	// Who is counted first has the one place, and that need not be who came first.
	w.eventually("two requests", func() bool { return w.metric(series+"requests_total"+caller) == "2" })
	for _, tc := range []struct {
		token string
		code  int
	}{
		{second, 200},
		{w.extended(2 * time.Hour), 401}, {long, 401},
		{w.token("elsewhere"), 401}, {"abc", 401},
		{"", 401}, // no token: that is nobody's refusal
	} {
		w.want(tc.code, tc.token)
	}
	for name, want := range map[string]string{
		"requests_total" + caller: "2", `requests_total{caller="other"}`: "1",
		"refusals_total" + caller: "2", `refusals_total{caller="unknown"}`: "2",
		"token_lifetime_seconds" + caller: "3600",
	} {
		w.eventually(name, func() bool { return w.metric(series+name) == want })
	}
	if w.metric(`sallyport_keys{issuer="cluster"}`) == "" || w.metric(`sallyport_keys_age_seconds{issuer="cluster"}`) == "" {
		t.Error("nothing is told of the cluster's keys")
	}
	if got := w.metric(`sallyport_request_duration_seconds_count`); got != "3" {
		t.Errorf("%s requests timed, want 3", got)
	}
}

// Requests are counted many at a time, and whoever looks sees each that is over.
func TestCountedForWhoeverLooks(t *testing.T) {
	t.Parallel()
	w := start(t, "--debug-listen=127.0.0.1:0", "--caller-metrics=1")
	token := w.token()
	w.want(200, token)
	w.eventually("on the page", func() bool { c := w.status().Callers; return len(c) == 1 && c[0].Requests == 1 })
	w.want(200, token)
	w.want(200, token)
	for _, series := range []string{
		`requests_total{code="200",reason="ok",route="default"}`, "request_duration_seconds_count",
		`caller_requests_total{caller="system:serviceaccount:ns:caller"}`,
	} {
		w.eventually(series, func() bool { return w.metric("sallyport_"+series) == "3" })
	}
}

// Nobody is named unless that was asked for.
func TestNoCallerMetrics(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.want(200, w.token())
	if _, text := w.admin("/metrics"); strings.Contains(text, "ns:caller") {
		t.Error("a caller is named")
	}
}

// At the default level refusals have lines, with whose token it was, and a flood of
// them does not fill the log.
func TestLogOfAFlood(t *testing.T) {
	t.Parallel()
	w := start(t, "--log-level=info", "--max-token-lifetime=2h")
	long, err := w.cluster.Token(minicluster.Request{Namespace: "ns", ServiceAccount: "caller", Pod: "caller-0", Audiences: []string{audience}, TTL: 3 * time.Hour})
	must(t, err)
	w.want(200, w.token())
	w.want(401, long)
	begun := time.Now()
	for range 500 {
		w.want(401, "abc")
	}
	// A new window may begin in each second, and one may have begun before.
	most := 20 * (int(time.Since(begun)/time.Second) + 2)
	w.eventually("counted", func() bool { return strings.Contains(w.log.String(), "more requests like these") })
	text := w.log.String()
	if n := strings.Count(text, `"reason":"malformed","method"`); n > most || n < 20 {
		t.Errorf("%d lines of 500 refusals, want 20 to %d", n, most)
	}
	for _, part := range []string{
		`"reason":"lifetime","method":"GET","path":"/","peer":"127.0.0.1","subject":"system:serviceaccount:ns:caller"`,
		`"code":200,"reason":"ok"`, `"jti":"`, `"decided":"`,
	} {
		if !strings.Contains(text, part) {
			t.Errorf("no %s in\n%s", part, w.log.tail())
		}
	}
	w.noTokenIn(text)
}
