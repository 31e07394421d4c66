package tracing

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"sallyport/internal/authn"
	"sallyport/internal/traceparent"
	"sallyport/internal/tracing/tracingtest"
)

const (
	theTrace = "4bf92f3577b34da6a3ce929d0e0e4736"
	theSpan  = "00f067aa0ba902b7"
	secret   = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJ4In0.SiGnAtUrE"
)

// A bench is a Tracer, its collector, and what it tells.
type bench struct {
	*Tracer
	collector *tracingtest.Collector
	stop      func() // waits until all is sent, or not

	mu     sync.Mutex
	spans  map[Result]int
	causes []string
}

func newBench(t testing.TB, share float64) *bench {
	t.Helper()
	b := &bench{collector: tracingtest.New(t), spans: map[Result]int{}}
	var err error
	b.Tracer, err = New(Options{Endpoint: b.collector.URL, Sample: share, Version: "v1", Observe: b.observe})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); b.Run(ctx) }()
	b.stop = func() { cancel(); <-done }
	t.Cleanup(b.stop)
	return b
}

func (b *bench) observe(r Result, n int, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.spans[r] += n
	if err != nil {
		b.causes = append(b.causes, err.Error())
	}
}

func (b *bench) counts() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return fmt.Sprint(b.spans[Sent], b.spans[Failed], b.spans[Dropped])
}

func request(header ...string) *http.Request {
	r := httptest.NewRequest("GET", "/secrets?token="+secret, nil)
	r.Header.Set("Authorization", "Bearer "+secret)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return r
}

var asked = traceparent.Parent{Trace: theTrace, Span: theSpan, Sampled: true}

// A request, its decision and a review are one trace, below the caller's.
func TestSpans(t *testing.T) {
	b := newBench(t, 0)
	outside := Client(&http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		if len(r.Header) > 0 {
			t.Errorf("others get %v", r.Header)
		}
		return &http.Response{StatusCode: 201, Body: http.NoBody}, nil
	})}, "review")
	authenticator := Authenticator(authn.Func(func(ctx context.Context, token string) (authn.Identity, error) {
		req, _ := http.NewRequestWithContext(ctx, "POST", "https://api:443/reviews?"+token, strings.NewReader(token))
		if _, err := outside.Do(req); err != nil {
			t.Error(err)
		}
		Decided(ctx, "accepted", authn.OK, "apiserver", false)
		return authn.Identity{Subject: "alice"}, nil
	}))
	r := request(traceparent.Name, asked.String(), "Tracestate", "a="+secret, "Baggage", "b="+secret)
	ctx, span := b.Request(r)
	if id, err := authenticator.Authenticate(ctx, secret); err != nil || id.Subject != "alice" {
		t.Errorf("%+v, %v", id, err)
	}
	span.End(Outcome{Code: 200, Reason: authn.OK, Route: "/api/*", Subject: "alice"})
	b.stop()

	if got := b.counts(); got != "3 0 0" {
		t.Fatalf("sent, failed, dropped: %s", got)
	}
	spans := map[string]tracingtest.Span{}
	for _, s := range b.collector.Spans() {
		spans[s.Kind] = s
		if s.Trace != theTrace || s.Failed {
			t.Errorf("%+v", s)
		}
	}
	server, decide, review := spans["SERVER"], spans["INTERNAL"], spans["CLIENT"]
	for _, tt := range []struct {
		span   tracingtest.Span
		parent string
		name   string
		want   map[string]string
	}{
		{server, theSpan, "GET /api/*", map[string]string{"http.request.method": "GET", "http.response.status_code": "200",
			"http.route": "/api/*", "enduser.id": "alice", "sallyport.reason": "ok"}},
		{decide, server.ID, "decide", map[string]string{"sallyport.result": "accepted", "sallyport.reason": "ok", "sallyport.source": "apiserver"}},
		{review, decide.ID, "review", map[string]string{"http.request.method": "POST", "http.response.status_code": "201", "server.address": "api:443"}},
	} {
		if tt.span.Parent != tt.parent || tt.span.Name != tt.name || !maps.Equal(tt.span.Attributes, tt.want) {
			t.Errorf("%+v, want parent %s, name %s, %v", tt.span, tt.parent, tt.name, tt.want)
		}
	}
	// The app's parent is our span, and the rest of the header is the caller's.
	if got := r.Header.Get(traceparent.Name); got != "00-"+theTrace+"-"+server.ID+"-01" {
		t.Errorf("the app gets %s", got)
	}
	if r.Header.Get("Tracestate") != "a="+secret || r.Header.Get("Baggage") != "b="+secret {
		t.Errorf("the app gets %v", r.Header)
	}
	if raw := b.collector.Raw(); strings.Contains(raw, "eyJ") || strings.Contains(raw, "SiGn") || strings.Contains(raw, "/secrets") {
		t.Errorf("a caller's words are in %q", raw)
	}
	if h := b.collector.Requests()[0]; h.Get("Authorization") != "" || h.Get("User-Agent") != "sallyport/v1" {
		t.Errorf("the collector gets %v", h)
	}
	if res := b.collector.Resource(); res["service.name"] != "sallyport" || res["service.version"] != "v1" || res["host.name"] == "" {
		t.Errorf("we are %v", res)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// Whoever calls decides for its own trace, and chance for the others.
func TestWhoIsFollowed(t *testing.T) {
	unsampled := asked
	unsampled.Sampled = false
	for _, tt := range []struct {
		name, header string
		share        float64
		follows      bool
	}{
		{"asked for", asked.String(), 0, true},
		{"not asked for", unsampled.String(), 1, false},
		{"no trace, all", "", 1, true},
		{"no trace, none", "", 0, false},
		{"malformed, all", "00-x", 1, true},
		{"malformed, none", "00-x", 0, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, tt.share)
			r := request("Tracestate", "a=1")
			if tt.header != "" {
				r.Header.Set(traceparent.Name, tt.header)
			}
			before := r.Header.Clone()
			ctx, span := b.Request(r)
			if (span != nil) != tt.follows {
				t.Fatalf("followed: %v", span != nil)
			}
			if span == nil {
				if ctx != r.Context() || fmt.Sprint(before) != fmt.Sprint(r.Header) {
					t.Errorf("touched: %v", r.Header)
				}
				return
			}
			p, ok := traceparent.Of(r.Header)
			if !ok || !p.Sampled || (p.Trace == theTrace) != (tt.header == asked.String()) {
				t.Errorf("the app gets %v", r.Header)
			}
			if got := r.Header.Get("Tracestate"); (got != "") != (tt.header == asked.String()) {
				t.Errorf("the app gets the tracestate %q", got)
			}
			span.End(Outcome{Code: 503, Reason: authn.Overload})
			b.stop()
			if s := b.collector.Spans(); len(s) != 1 || !s[0].Failed || s[0].Name != "GET" {
				t.Errorf("%+v", s)
			}
		})
	}
}

func TestShare(t *testing.T) {
	s := newSampler(0.25)
	s.chosen.SetLimit(1e9) // all the while
	s.chosen.SetBurst(1e9)
	n := 0
	for range 10_000 {
		if s.follows(traceparent.Parent{}, false) {
			n++
		}
	}
	if n < 2200 || n > 2800 { // seven standard deviations
		t.Errorf("%d of 10,000", n)
	}
}

// Whoever asks for too many traces gets none, and takes nothing from the others'.
func TestTooMany(t *testing.T) {
	s := newSampler(1)
	count := func(some bool) (n int) {
		for range 1000 {
			if s.follows(asked, some) {
				n++
			}
		}
		return n
	}
	if a, c := count(true), count(false); a < maxTraces || a > 2*maxTraces || c < maxTraces || c > 2*maxTraces {
		t.Errorf("%d that were asked for and %d others, want some %d each", a, c, maxTraces)
	}
}

// No word of a method that nobody knows, nor more of a subject than there is room for.
func TestBounds(t *testing.T) {
	b := newBench(t, 1)
	r := request()
	r.Method = secret
	_, span := b.Request(r)
	span.End(Outcome{Code: 401, Reason: authn.Signature, Subject: strings.Repeat("x", 1000)})
	b.stop()
	s := b.collector.Spans()
	if len(s) != 1 || s[0].Name != "_OTHER" || s[0].Failed || len(s[0].Attributes["enduser.id"]) != maxValue {
		t.Errorf("%+v", s)
	}
}

// What the collector does to us is counted, said, and felt by nobody.
func TestCollectorFails(t *testing.T) {
	partial := func(n byte) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { w.Write([]byte{0x0a, 4, 0x08, n, 0x12, 0}) }
	}
	for _, tt := range []struct {
		name   string
		answer http.HandlerFunc
		counts string // sent, failed, dropped of two
		cause  string
	}{
		{"503", func(w http.ResponseWriter, r *http.Request) { http.Error(w, secret, http.StatusServiceUnavailable) }, "0 2 0", "the collector answers 503"},
		{"redirect", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		}, "0 2 0", "the collector answers 307"},
		{"cut", func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) }, "0 2 0", "EOF"},
		{"one rejected", partial(1), "1 1 0", "would not have some"},
		{"all rejected", partial(2), "0 2 0", "would not have some"},
		{"more rejected than there were", partial(100), "0 2 0", "would not have some"},
		{"nonsense", func(w http.ResponseWriter, r *http.Request) { w.Write([]byte("\x0a\xff<html>")) }, "2 0 0", ""},
		{"endless", func(w http.ResponseWriter, r *http.Request) { w.Write(make([]byte, 10*maxAnswer)) }, "2 0 0", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, 1)
			b.collector.Answer(tt.answer)
			for range 2 {
				_, span := b.Request(request())
				span.End(Outcome{Code: 200, Reason: authn.OK})
			}
			b.stop()
			if got := b.counts(); got != tt.counts {
				t.Errorf("sent, failed, dropped: %s, want %s", got, tt.counts)
			}
			if causes := strings.Join(b.causes, "; "); !strings.Contains(causes, tt.cause) || (tt.cause == "") != (causes == "") || strings.Contains(causes, "eyJ") {
				t.Errorf("said %q, want %q", causes, tt.cause)
			}
			if n := b.collector.Spans(); len(n) > 0 {
				t.Errorf("%d arrived elsewhere", len(n))
			}
		})
	}
}

// A collector that hangs keeps neither requests nor the end of the program waiting, and
// what it has no time for is dropped.
func TestCollectorHangs(t *testing.T) {
	b := newBench(t, 1)
	release, reached := make(chan struct{}), make(chan struct{}, 16)
	b.collector.Answer(func(http.ResponseWriter, *http.Request) { reached <- struct{}{}; <-release })
	t.Cleanup(func() { close(release) }) // before the server closes
	b.sampler.chosen.SetLimit(1e9)
	b.sampler.chosen.SetBurst(1e9)
	for range 2 * maxWaiting {
		_, span := b.Request(request())
		span.End(Outcome{Code: 200, Reason: authn.OK})
	}
	<-reached
	if got, want := b.counts(), fmt.Sprint(0, 0, maxWaiting); got != want {
		t.Errorf("sent, failed, dropped: %s, want %s", got, want)
	}
	begun := time.Now()
	b.stop()
	if took := time.Since(begun); took > flushTime+3*time.Second {
		t.Errorf("the end took %v", took)
	}
}

func TestEnvironment(t *testing.T) {
	t.Setenv("OTEL_SERVICE_NAME", "orders-gate")
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "k8s.pod.name=orders-0")
	t.Setenv("OTEL_TRACES_SAMPLER", "always_off") // --trace-sample says that
	b := newBench(t, 1)
	_, span := b.Request(request())
	span.End(Outcome{Code: 200, Reason: authn.OK})
	b.stop()
	if r := b.collector.Resource(); r["service.name"] != "orders-gate" || r["k8s.pod.name"] != "orders-0" {
		t.Errorf("we are %v", r)
	}
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "k8s.pod.name")
	if _, err := New(Options{Endpoint: b.collector.URL, Observe: b.observe}); err == nil || !strings.Contains(err.Error(), "OTEL_RESOURCE_ATTRIBUTES") {
		t.Errorf("err = %v", err)
	}
}

// Failures of what is asked outside show, and their texts do not.
func TestClientFails(t *testing.T) {
	b := newBench(t, 1)
	ctx, span := b.Request(request())
	for _, next := range []roundTrip{
		func(*http.Request) (*http.Response, error) { return nil, errors.New(secret) },
		func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 403, Body: http.NoBody}, nil
		},
	} {
		req, _ := http.NewRequestWithContext(ctx, "GET", "https://api/", nil)
		if res, err := Client(&http.Client{Transport: next}, "fetch").Do(req); err == nil {
			res.Body.Close()
		}
	}
	span.End(Outcome{Code: 503, Reason: authn.KeysUnavailable})
	b.stop()
	for _, s := range b.collector.Spans() {
		if !s.Failed {
			t.Errorf("%+v", s)
		}
	}
	if raw := b.collector.Raw(); strings.Contains(raw, "eyJ") || len(b.collector.Spans()) != 3 {
		t.Errorf("%q", raw)
	}
}

// Who is not followed costs nothing but a look.
func TestNoAllocation(t *testing.T) {
	b := newBench(t, 0)
	r := request()
	authenticator := Authenticator(authn.Func(func(context.Context, string) (authn.Identity, error) { return authn.Identity{}, nil }))
	if n := testing.AllocsPerRun(100, func() {
		ctx, _ := b.Request(r)
		authenticator.Authenticate(ctx, secret)
		Decided(ctx, "accepted", authn.OK, "cache", false)
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkNotFollowed(b *testing.B) {
	t := newBench(b, 0.01)
	t.sampler.share = 1e-9
	r := request()
	b.ReportAllocs()
	for b.Loop() {
		t.Request(r)
	}
}

func BenchmarkFollowed(b *testing.B) {
	t := newBench(b, 1)
	t.sampler.chosen.SetLimit(1e9)
	t.sampler.chosen.SetBurst(1e9)
	r := request()
	b.ReportAllocs()
	for b.Loop() {
		delete(r.Header, traceparent.Name)
		_, span := t.Request(r)
		span.End(Outcome{Code: 200, Reason: authn.OK, Route: "/api/*", Subject: "system:serviceaccount:ns:caller"})
	}
}
