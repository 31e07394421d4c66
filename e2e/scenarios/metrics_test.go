package scenarios

import (
	"math"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"sallyport/e2e/caller"
)

// documented are the metrics of the page that operators read.
func documented(t *testing.T) (names []string) {
	t.Helper()
	text, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile("(?m)^\\| `(sallyport_[a-z_]+)` \\| (?:gauge|counter|histogram) \\|").FindAllStringSubmatch(string(text), -1) {
		names = append(names, m[1])
	}
	if len(names) < 30 {
		t.Fatalf("only %d metrics were found", len(names))
	}
	return names
}

// names are those of p's series, a histogram's without its endings.
func (p page) names() (names []string) {
	for line := range strings.Lines(string(p)) {
		if name, ok := strings.CutPrefix(line, "# TYPE "); ok {
			name, _, _ = strings.Cut(name, " ")
			if strings.HasPrefix(name, "sallyport_") {
				names = append(names, name)
			}
		}
	}
	return names
}

// Given a gate with --caller-metrics, callers good and bad, an open WebSocket, and
// tokens that have rotated,
// when all of its metrics are read,
// then they are those of docs/metrics.md, no more and no less, and their values are
// what has happened.
func TestOwnMetrics(t *testing.T) {
	g := deployWith(t, func(m *manifest) {
		m.testApp()
		m.serve("--caller-metrics=10")
	})
	c := newCaller(t)
	g.waitReached(t, c)
	began := time.Now()
	for code, req := range map[int]caller.Request{200: {TokenFile: ownToken}, 401: {}} {
		req.URL = g.service + "/metered"
		for range 3 {
			if a := c.call(t, req); a.Status != code {
				t.Fatalf("%v, want %d", a, code)
			}
		}
	}
	if a := c.call(t, caller.Request{URL: g.service + "/metered", Token: c.request(t, "elsewhere")}); a.Status != http.StatusUnauthorized {
		t.Fatal(a)
	}
	c.opens(t, g, caller.Socket{TokenFile: ownToken}, c.user())
	if err := world.cluster.Kubelet.Restart(); err != nil {
		t.Fatal(err)
	}
	g.waitRotated(t, 0, began)

	p := g.page(t)
	// The example has no certificate.
	want := slices.DeleteFunc(documented(t), func(name string) bool { return name == "sallyport_certificate_expiry_seconds" })
	if got := slices.Sorted(slices.Values(p.names())); !slices.Equal(got, want) {
		t.Errorf("there is\n%q, want\n%q", got, want)
	}
	whose, hour, many := `caller="`+c.user()+`"`, time.Hour.Seconds(), math.Inf(1)
	for _, tt := range []struct {
		name      string
		labels    []string
		low, high float64
	}{
		{"build_info", nil, 1, 1},
		{"requests_total", []string{`code="200"`, `reason="ok"`}, 3, 3}, // the WebSocket is not over
		{"requests_total", []string{`code="401"`, `reason="missing"`}, 3, 3},
		{"requests_total", []string{`code="401"`, `reason="audience"`}, 1, 1},
		{"requests_total", []string{`reason="public"`}, 1, many}, // the probes
		{"request_duration_seconds_count", nil, 4, many},
		{"request_duration_seconds_sum", nil, 1e-4, 60},
		{"decisions_total", []string{`result="accepted"`}, 4, many}, // the WebSocket's token is looked at again and again
		{"decisions_total", []string{`result="accepted"`, `source="apiserver"`}, 1, 4},
		{"decisions_total", []string{`result="refused"`}, 1, 1},
		{"decisions_total", []string{`result="unavailable"`}, 0, 0},
		{"decision_duration_seconds_count", nil, 2, many},
		{"tokenreviews_total", []string{`result="yes"`}, 1, many},
		{"tokenreview_duration_seconds_count", nil, 1, many},
		{"jwks_fetches_total", []string{`issuer="cluster"`, `result="ok"`}, 1, many},
		{"keys", []string{`issuer="cluster"`}, 1, 4},
		{"keys_age_seconds", []string{`issuer="cluster"`}, 0, 400}, // fetched every 5 minutes
		{"cache_entries", nil, 1, 4},
		{"cache_evictions_total", nil, 0, 0},
		{"own_token_expiry_seconds", nil, 0.9 * hour, hour + 10},
		{"own_token_age_seconds", nil, 0, 60},
		{"own_token_rotations_total", nil, 1, 2},
		{"own_token_late", nil, 0, 0},
		{"own_token_read_errors_total", nil, 0, 0},
		{"caller_requests_total", []string{whose}, 3, 3},
		{"caller_refusals_total", []string{`caller="unknown"`}, 1, 1}, // nobody looked at its signature
		{"caller_token_lifetime_seconds", []string{whose}, 600, hour + 10},
		{"caller_late_total", []string{whose}, 0, 0},
		{"caller_stale_total", []string{whose}, 0, 0},
		{"caller_legacy_total", []string{whose}, 0, 0},
		{"connections", nil, 1, 20},
		{"in_flight_requests", nil, 1, 3},
		{"streams", nil, 1, 1},
		{"streams_ended_total", nil, 0, 0},
		{"requests_refused_total", nil, 0, 0},
		{"connections_closed_total", nil, 0, 0},
		{"apiserver_away_seconds", nil, 0, 0},
		{"upstream_bypass", nil, 0, 0},
		{"log_lines_dropped_total", nil, 0, 0},
		{"spans_total", nil, 0, 0},
	} {
		if got := p.sum(t, "sallyport_"+tt.name, tt.labels...); got < tt.low || got > tt.high {
			t.Errorf("%s%q is %v, want %v to %v", tt.name, tt.labels, got, tt.low, tt.high)
		}
	}
}
