// Package telemetry is what operators see of us: metrics and log. Nothing in
// here ever sees a token.
package telemetry

import (
	"cmp"
	"net/http"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"

	"sallyport/internal/authn"
)

// Options are what the metrics need to know of the program.
type Options struct {
	// Version of the program, for sallyport_build_info.
	Version string
	// Issuers are the label values of key fetches: the URLs that the operator
	// configured. [ClusterIssuer] need not be among them.
	Issuers []string
	// Routes are the label values of requests: the paths that the operator
	// configured. [DefaultRoute] need not be among them.
	Routes []string
	// OwnToken says how our own token does. It is nil where we have no token file.
	OwnToken func() TokenState
	// Settle is called before each scrape: whoever counts late does so now. It may be
	// nil.
	Settle func()
	// State is what else is asked for at each scrape.
	State State
	// Keys are the issuers' key sets. It may be nil.
	Keys func() []Keys
	// Callers are those that call, a bounded number. Nil means that none is told by
	// name.
	Callers func() []Caller
	// ConnectionCauses are the label values of connections closed by a limit, and
	// RequestKinds those of requests refused by one.
	ConnectionCauses, RequestKinds []string
	// Bypass says whether the app answers past the gate, and whether that is
	// known. It may be nil.
	Bypass func() (found, known bool)
}

// Metrics count what happens. The values of their labels come from closed
// lists: what is in none is counted as "other", so that nothing that a caller
// sends can make a series.
//
// Series of reviews, key fetches and ended streams exist from the start, so that an alert sees
// the first failure as an increase. Those of requests and decisions appear when
// first counted: most of their combinations never happen.
type Metrics struct {
	registry  *prometheus.Registry
	requests  *counters[requestKey]
	decisions *counters[decisionKey]
	reviews   *counters[string]
	fetches   *counters[fetchKey]
	ended     *counters[string]
	closed    *counters[string]
	refused   *counters[string]
	spans     *counters[string]
	latencies *latencies
	settle    func()
}

// New returns metrics of their own registry, with those of the Go runtime and
// the process beside them.
func New(o Options) *Metrics {
	m := &Metrics{
		registry:  prometheus.NewRegistry(),
		requests:  newRequests(o.Routes),
		decisions: newDecisions(),
		reviews:   newReviews(),
		fetches:   newFetches(o.Issuers),
		ended:     newStreamsEnded(),
		closed:    newClosed(o.ConnectionCauses),
		refused:   newRefused(o.RequestKinds),
		spans:     newListed("sallyport_spans_total", "Spans of traces by what became of them.", "result", spanList),
		latencies: newLatencies(),
		settle:    o.Settle,
	}
	m.registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		m.requests.vec, m.decisions.vec, m.reviews.vec, m.fetches.vec,
		m.ended.vec, m.closed.vec, m.refused.vec, m.spans.vec,
		m.latencies.requests, m.latencies.reviews, m.latencies.vec,
		buildInfo(o.Version),
	)
	if o.OwnToken != nil {
		m.registry.MustRegister(ownToken(o.OwnToken))
	}
	m.registry.MustRegister(o.State.collectors()...)
	if o.Keys != nil {
		m.registry.MustRegister(keys(o.Keys))
	}
	if o.Callers != nil {
		m.registry.MustRegister(callers(o.Callers))
	}
	if o.Bypass != nil {
		m.registry.MustRegister(bypass(o.Bypass))
	}
	return m
}

// Request counts a request on a route that was answered with code for the reason
// r. Codes are those that net/http has a text for, and 499 (the client went away).
// The route is one of [Options].Routes, or "" for none of them.
func (m *Metrics) Request(code int, r authn.Reason, route string) {
	m.requests.get(requestKey{code, r, cmp.Or(route, DefaultRoute)}).Inc()
}

// Decisions returns how many decisions there were, by [Accepted] and the others.
func (m *Metrics) Decisions() map[string]uint64 {
	sums := map[string]uint64{}
	m.decisions.each(func(k decisionKey, n uint64) { sums[k.result] += n })
	return sums
}

// Refusals returns how many requests were not let through, by reason.
func (m *Metrics) Refusals() map[authn.Reason]uint64 {
	sums := map[authn.Reason]uint64{}
	m.requests.each(func(k requestKey, n uint64) {
		if k.reason != authn.OK && k.reason != authn.Public {
			sums[k.reason] += n
		}
	})
	return sums
}

// RequestTook notes how long a request took that was let through.
func (m *Metrics) RequestTook(d time.Duration) { m.latencies.requests.Observe(d.Seconds()) }

// Decision counts a decision about a token. See [Accepted] for the results and
// [FromCache] for the sources. How long it took is noted of those that were not
// remembered.
func (m *Metrics) Decision(result string, r authn.Reason, source string, took time.Duration) {
	m.decisions.get(decisionKey{result, r, source}).Inc()
	if source == FromCache {
		return // as nearly all
	}
	if h := m.latencies.decisions[source]; h != nil {
		h.Observe(took.Seconds())
	}
}

// Review counts a TokenReview, every attempt by itself, and how long it took. See
// [Yes] for the results. One that was stopped by our own limiter took no time.
func (m *Metrics) Review(result string, took time.Duration) {
	m.reviews.get(result).Inc()
	if result != Limiter {
		m.latencies.reviews.Observe(took.Seconds())
	}
}

// KeyFetch counts an attempt to fetch an issuer's keys, discovery included. The
// issuer is one of [Options].Issuers or [ClusterIssuer]; see [OK] for the
// results.
func (m *Metrics) KeyFetch(issuer, result string) { m.fetches.get(fetchKey{issuer, result}).Inc() }

// StreamEnded counts a request that was ended while it was under way. See
// [StreamExpired] for the reasons.
func (m *Metrics) StreamEnded(reason string) { m.ended.get(reason).Inc() }

// Spans counts spans by what became of them. See [SpansSent] for the results.
func (m *Metrics) Spans(result string, n int) { m.spans.get(result).Add(float64(n)) }

// Gather implements [prometheus.Gatherer].
func (m *Metrics) Gather() ([]*dto.MetricFamily, error) {
	if m.settle != nil {
		m.settle()
	}
	return m.registry.Gather()
}

// Handler serves the metrics.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m, promhttp.HandlerOpts{
		// One broken metric must not hide the others.
		ErrorHandling: promhttp.ContinueOnError,
		// A scrape is a few KiB; a gzip writer for it takes 800 KiB.
		DisableCompression: true,
		// A Prometheus pair and a person or two; more get a 503.
		MaxRequestsInFlight: 4,
	})
}

func buildInfo(version string) prometheus.Collector {
	g := prometheus.NewGauge(prometheus.GaugeOpts{
		Name:        "sallyport_build_info",
		Help:        "Always 1; the labels say what runs.",
		ConstLabels: prometheus.Labels{"version": version, "goversion": runtime.Version()},
	})
	g.Set(1)
	return g
}
