package telemetry

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sallyport/internal/authn"
)

// scrape returns the lines of sallyport's own metrics.
func scrape(t *testing.T, m *Metrics) []string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("scrape: %d\n%s", w.Code, w.Body)
	}
	var lines []string
	for l := range strings.Lines(w.Body.String()) {
		if strings.HasPrefix(l, "sallyport_") {
			lines = append(lines, strings.TrimSpace(l))
		}
	}
	return lines
}

// has checks that a line of the scrape is exactly want.
func has(t *testing.T, m *Metrics, want string) {
	t.Helper()
	name, _, _ := strings.Cut(want, "{")
	name, _, _ = strings.Cut(name, " ")
	var near []string
	for _, l := range scrape(t, m) {
		if l == want {
			return
		}
		if strings.HasPrefix(l, name) {
			near = append(near, l)
		}
	}
	t.Errorf("no %s among:\n%s", want, strings.Join(near, "\n"))
}

func TestSeries(t *testing.T) {
	configured := Options{Version: "v1.2.3", Issuers: []string{"https://issuer.example"}}
	for _, tt := range []struct {
		name string
		do   func(m *Metrics)
		want string
	}{
		{"request", func(m *Metrics) { m.Request(200, authn.OK, "") }, `sallyport_requests_total{code="200",reason="ok",route="default"} 1`},
		{"refused", func(m *Metrics) { m.Request(401, authn.Expired, "") }, `sallyport_requests_total{code="401",reason="expired",route="default"} 1`},
		{"upgraded", func(m *Metrics) { m.Request(101, authn.OK, "") }, `sallyport_requests_total{code="101",reason="ok",route="default"} 1`},
		{"client gone", func(m *Metrics) { m.Request(499, authn.ClientGone, "") }, `sallyport_requests_total{code="499",reason="client_gone",route="default"} 1`},
		{"odd code", func(m *Metrics) { m.Request(799, authn.OK, "") }, `sallyport_requests_total{code="other",reason="ok",route="default"} 1`},
		{"code no test foresaw", func(m *Metrics) { m.Request(-1, authn.OK, "") }, `sallyport_requests_total{code="other",reason="ok",route="default"} 1`},
		{"odd reason", func(m *Metrics) { m.Request(500, "x", "") }, `sallyport_requests_total{code="500",reason="other",route="default"} 1`},

		{"decision", func(m *Metrics) { m.Decision(Accepted, authn.OK, FromCache, time.Millisecond) },
			`sallyport_decisions_total{reason="ok",result="accepted",source="cache"} 1`},
		{"outage", func(m *Metrics) { m.Decision(Unavailable, authn.ReviewFailed, FromAPIServer, time.Millisecond) },
			`sallyport_decisions_total{reason="review_failed",result="unavailable",source="apiserver"} 1`},
		{"refusal", func(m *Metrics) { m.Decision(Refused, authn.Signature, FromLocal, time.Millisecond) },
			`sallyport_decisions_total{reason="signature",result="refused",source="local"} 1`},
		{"odd decision", func(m *Metrics) { m.Decision("x", "y", "z", time.Millisecond) },
			`sallyport_decisions_total{reason="other",result="other",source="other"} 1`},

		{"review", func(m *Metrics) { m.Review(Yes, time.Millisecond) }, `sallyport_tokenreviews_total{result="yes"} 1`},
		{"no review yet", func(*Metrics) {}, `sallyport_tokenreviews_total{result="forbidden"} 0`},
		{"fetch result in a review", func(m *Metrics) { m.Review(OK, time.Millisecond) }, `sallyport_tokenreviews_total{result="other"} 1`},

		{"stream", func(m *Metrics) { m.StreamEnded(StreamRevoked) }, `sallyport_streams_ended_total{reason="revoked"} 1`},
		{"no stream yet", func(*Metrics) {}, `sallyport_streams_ended_total{reason="expired"} 0`},
		{"fetch", func(m *Metrics) { m.KeyFetch(ClusterIssuer, OK) }, `sallyport_jwks_fetches_total{issuer="cluster",result="ok"} 1`},
		{"fetch of another", func(m *Metrics) { m.KeyFetch("https://issuer.example", TLS) },
			`sallyport_jwks_fetches_total{issuer="https://issuer.example",result="tls"} 1`},
		{"no fetch yet", func(*Metrics) {}, `sallyport_jwks_fetches_total{issuer="https://issuer.example",result="empty"} 0`},
		{"odd fetch", func(m *Metrics) { m.KeyFetch("https://learnt.example", Yes) },
			`sallyport_jwks_fetches_total{issuer="other",result="other"} 1`},

		{"build", func(*Metrics) {}, `sallyport_build_info{goversion="` + runtime.Version() + `",version="v1.2.3"} 1`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := New(configured)
			tt.do(m)
			has(t, m, tt.want)
		})
	}
}

// What nearly all is counted by is found another way than the rest.
func TestUsual(t *testing.T) {
	m := New(Options{})
	for _, code := range []int{200, 200, 401, 200, 401, 200} {
		m.Request(code, authn.OK, "")
	}
	for _, source := range []string{FromCache, FromLocal, FromCache, FromCache} {
		m.Decision(Accepted, authn.OK, source, 0)
	}
	got := scrape(t, m)
	for _, want := range []string{
		`sallyport_requests_total{code="200",reason="ok",route="default"} 4`,
		`sallyport_requests_total{code="401",reason="ok",route="default"} 2`,
		`sallyport_decisions_total{reason="ok",result="accepted",source="cache"} 3`,
		`sallyport_decisions_total{reason="ok",result="accepted",source="local"} 1`,
	} {
		if !slices.Contains(got, want) {
			t.Errorf("no %s", want)
		}
	}
	if m.requests.first.Load() == nil || m.decisions.first.Load() == nil {
		t.Error("the usual ones are looked for among all")
	}
}

// Whatever is counted, the number of series has a bound.
func TestSeriesAreBounded(t *testing.T) {
	m := New(Options{})
	for i := range 2000 {
		s := fmt.Sprint("forged", i)
		m.Request(i, authn.OK, "")
		m.Request(200, authn.Reason(s), "")
		m.Decision(s, authn.Reason(s), s, time.Millisecond)
		m.Review(s, time.Millisecond)
		m.KeyFetch(s, s)
		m.StreamEnded(s)
	}
	got := map[string]int{}
	for _, l := range scrape(t, m) {
		name, _, _ := strings.Cut(l, "{")
		got[name]++
		if strings.Contains(l, "forged") {
			t.Fatalf("a series of a forged label: %s", l)
		}
	}
	// net/http knows 62 codes; 499, "other", and the odd reason with 200.
	if n := got["sallyport_requests_total"]; n < 50 || n > 70 {
		t.Errorf("%d series of requests, want about 65", n)
	}
	for name, want := range map[string]int{
		"sallyport_decisions_total":     1,
		"sallyport_tokenreviews_total":  len(reviewList),
		"sallyport_jwks_fetches_total":  len(fetchList) + 1,
		"sallyport_streams_ended_total": len(endList) + 1,
	} {
		if got[name] != want {
			t.Errorf("%s: %d series, want %d", name, got[name], want)
		}
	}
	if n := len(*m.requests.known.Load()); n > 70 {
		t.Errorf("%d counters remembered, want about 65", n)
	}
}

func TestEveryReasonIsALabel(t *testing.T) {
	m := New(Options{})
	for _, r := range authn.Reasons {
		m.Request(200, r, "")
		has(t, m, fmt.Sprintf(`sallyport_requests_total{code="200",reason="%s",route="default"} 1`, r))
	}
}

func TestOwnToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var expires, loaded time.Time
		var late bool
		m := New(Options{OwnToken: func() TokenState {
			return TokenState{Expires: expires, Loaded: loaded, Late: late, Rotations: 7, ReadErrors: 3}
		}})
		for _, l := range scrape(t, m) {
			if strings.HasPrefix(l, "sallyport_own_token_expiry") || strings.HasPrefix(l, "sallyport_own_token_age") {
				t.Errorf("without a token: %s", l)
			}
		}
		expires, loaded = time.Now().Add(10*time.Minute), time.Now()
		time.Sleep(time.Minute)
		has(t, m, "sallyport_own_token_expiry_seconds 540")
		has(t, m, "sallyport_own_token_age_seconds 60")
		has(t, m, "sallyport_own_token_rotations_total 7")
		has(t, m, "sallyport_own_token_read_errors_total 3")
		has(t, m, "sallyport_own_token_late 0")
		time.Sleep(10 * time.Minute)
		late = true
		has(t, m, "sallyport_own_token_expiry_seconds -60")
		has(t, m, "sallyport_own_token_late 1")
	})
}

func TestState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var away time.Time
		begun := time.Now()
		m := New(Options{
			State: State{
				InFlight:     func() int { return 1 },
				CacheEntries: func() int { return 42 }, CacheEvictions: func() uint64 { return 5 },
				LogDropped:  func() uint64 { return 7 },
				Connections: func() int { return 3 }, Streams: func() int { return 2 },
				Away: func() time.Time { return away }, CertificateEnd: func() time.Time { return begun.Add(time.Hour) },
			},
			Keys: func() []Keys { return []Keys{{"cluster", 2, begun}, {"https://issuer.example", 0, time.Time{}}} },
			Callers: func() []Caller {
				return []Caller{{Subject: "a", Requests: 1, Refusals: 2, Stale: 3, Legacy: 4, Late: 5, LongestLife: time.Hour}}
			},
		})
		has(t, m, "sallyport_apiserver_away_seconds 0")
		away = time.Now()
		time.Sleep(time.Minute)
		for _, line := range []string{
			"sallyport_in_flight_requests 1",
			"sallyport_cache_entries 42", "sallyport_cache_evictions_total 5", "sallyport_log_lines_dropped_total 7",
			"sallyport_connections 3", "sallyport_streams 2", "sallyport_apiserver_away_seconds 60",
			"sallyport_certificate_expiry_seconds 3540",
			`sallyport_keys{issuer="cluster"} 2`, `sallyport_keys_age_seconds{issuer="cluster"} 60`,
			`sallyport_keys{issuer="https://issuer.example"} 0`,
			`sallyport_caller_requests_total{caller="a"} 1`, `sallyport_caller_refusals_total{caller="a"} 2`,
			`sallyport_caller_stale_total{caller="a"} 3`, `sallyport_caller_legacy_total{caller="a"} 4`,
			`sallyport_caller_late_total{caller="a"} 5`, `sallyport_caller_token_lifetime_seconds{caller="a"} 3600`,
		} {
			has(t, m, line)
		}
		for _, l := range scrape(t, m) {
			if strings.HasPrefix(l, `sallyport_keys_age_seconds{issuer="https:`) {
				t.Errorf("never fetched: %s", l)
			}
		}
	})
}

func TestLatencies(t *testing.T) {
	m := New(Options{})
	m.RequestTook(3 * time.Millisecond)
	m.Decision(Accepted, authn.OK, FromLocal, 300*time.Microsecond)
	m.Decision(Accepted, authn.OK, FromAPIServer, 30*time.Millisecond)
	m.Decision(Accepted, authn.OK, FromCache, 0)
	m.Review(Yes, 20*time.Millisecond)
	m.Review(Limiter, 0)
	for _, line := range []string{
		`sallyport_request_duration_seconds_bucket{le="0.0025"} 0`, `sallyport_request_duration_seconds_bucket{le="0.005"} 1`,
		`sallyport_decision_duration_seconds_bucket{source="local",le="0.001"} 1`,
		`sallyport_decision_duration_seconds_count{source="apiserver"} 1`,
		`sallyport_tokenreview_duration_seconds_count 1`,
	} {
		has(t, m, line)
	}
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	native := 0
	for _, f := range families {
		for _, metric := range f.GetMetric() {
			if h := metric.GetHistogram(); h.GetSampleCount() > 0 && len(h.GetPositiveSpan()) > 0 {
				native++
			}
		}
	}
	if native != 4 {
		t.Errorf("%d native histograms, want 4", native)
	}
}

func TestRoutes(t *testing.T) {
	m := New(Options{Routes: []string{"/static/*"}})
	m.Request(200, authn.Public, "/static/*")
	m.Request(200, authn.OK, "")
	m.Request(200, authn.OK, "/never/configured")
	has(t, m, `sallyport_requests_total{code="200",reason="public",route="/static/*"} 1`)
	has(t, m, `sallyport_requests_total{code="200",reason="ok",route="default"} 1`)
	has(t, m, `sallyport_requests_total{code="200",reason="ok",route="other"} 1`)
}

func TestAbsentParts(t *testing.T) {
	for _, l := range scrape(t, New(Options{})) {
		if strings.HasPrefix(l, "sallyport_own_token") || strings.HasPrefix(l, "sallyport_cache") || strings.HasPrefix(l, "sallyport_log") {
			t.Errorf("nobody told: %s", l)
		}
	}
}

// The runtime's and the process's metrics are there, and text is what a plain
// client gets.
func TestHandler(t *testing.T) {
	w := httptest.NewRecorder()
	r := httptest.NewRequest("GET", "/metrics", nil)
	r.Header.Set("Accept-Encoding", "gzip")
	New(Options{}).Handler().ServeHTTP(w, r)
	for _, want := range []string{"\ngo_goroutines ", "\ngo_memstats_heap_inuse_bytes "} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("no %q", want)
		}
	}
	if runtime.GOOS == "linux" && !strings.Contains(w.Body.String(), "\nprocess_resident_memory_bytes ") {
		t.Error("no process metrics")
	}
	if got := w.Header().Get("Content-Type"); !strings.HasPrefix(got, "text/plain") {
		t.Errorf("Content-Type %q", got)
	}
	if got := w.Header().Get("Content-Encoding"); got != "" {
		t.Errorf("Content-Encoding %q, want none", got)
	}
}

func TestCountsInParallel(t *testing.T) {
	m := New(Options{})
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for j := range 1000 {
				m.Request(200+(i+j)%4, authn.OK, "")
			}
		})
	}
	all.Wait()
	for code := 200; code < 204; code++ {
		has(t, m, fmt.Sprintf(`sallyport_requests_total{code="%d",reason="ok",route="default"} 2000`, code))
	}
}

func TestHotPathDoesNotAllocate(t *testing.T) {
	m := New(Options{})
	if n := testing.AllocsPerRun(1000, func() {
		m.Decision(Accepted, authn.OK, FromCache, time.Millisecond)
		m.Request(200, authn.OK, "")
	}); n != 0 {
		t.Errorf("%v allocations a request, want none", n)
	}
}

func BenchmarkRequest(b *testing.B) {
	m := New(Options{})
	b.ReportAllocs()
	for b.Loop() {
		m.Decision(Accepted, authn.OK, FromCache, time.Millisecond)
		m.Request(200, authn.OK, "")
	}
}

func BenchmarkScrape(b *testing.B) {
	h := New(Options{}).Handler()
	r := httptest.NewRequest("GET", "/metrics", nil)
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
}
