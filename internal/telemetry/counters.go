package telemetry

import (
	"maps"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"sallyport/internal/authn"
)

// counters are a vector's counters, found by a typed key without a lock and
// without allocating, as one is counted for every request. (The vector itself
// hashes its label values on every call, and wants them in a slice.)
type counters[K comparable] struct {
	vec *prometheus.CounterVec
	// normal maps a key to one whose values come from the closed lists: only
	// such keys are remembered, which bounds known.
	normal func(K) K
	labels func(K) []string
	// usual is the key that nearly all is counted by: to compare keys is less than
	// to hash one. The zero key is none.
	usual K

	mu    sync.Mutex
	known atomic.Pointer[map[K]prometheus.Counter] // never changed after Store
	first atomic.Pointer[prometheus.Counter]       // the usual key's, once it was counted
}

func newCounters[K comparable](name, help string, names []string, normal func(K) K, labels func(K) []string) *counters[K] {
	c := &counters[K]{
		vec:    prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, names),
		normal: normal,
		labels: labels,
	}
	c.known.Store(&map[K]prometheus.Counter{})
	return c
}

func (c *counters[K]) get(k K) prometheus.Counter {
	if k == c.usual {
		if counter := c.first.Load(); counter != nil {
			return *counter
		}
	}
	if counter, ok := (*c.known.Load())[k]; ok {
		return counter
	}
	return c.add(c.normal(k))
}

// add makes and remembers the counter of a normal key.
func (c *counters[K]) add(k K) prometheus.Counter {
	c.mu.Lock()
	defer c.mu.Unlock()
	known := *c.known.Load()
	if counter, ok := known[k]; ok {
		return counter
	}
	known = maps.Clone(known)
	known[k] = c.vec.WithLabelValues(c.labels(k)...)
	c.known.Store(&known)
	counter := known[k]
	if k == c.usual {
		c.first.Store(&counter)
	}
	return counter
}

// each tells of every counter.
func (c *counters[K]) each(f func(K, uint64)) {
	for k, counter := range *c.known.Load() {
		var m dto.Metric
		if counter.Write(&m) == nil { // it has nothing to fail at
			f(k, uint64(m.GetCounter().GetValue()))
		}
	}
}

type requestKey struct {
	code   int
	reason authn.Reason
	route  string
}

func newRequests(configured []string) *counters[requestKey] {
	routes := closedList(append([]string{DefaultRoute}, configured...)...)
	c := newCounters("sallyport_requests_total",
		"Requests by the status they were answered with, why they were let through or not, and their route.",
		[]string{"code", "reason", "route"},
		func(k requestKey) requestKey {
			return requestKey{status(k.code), reasons.one(k.reason), routes.one(k.route)}
		},
		func(k requestKey) []string { return []string{statusLabel(k.code), string(k.reason), k.route} },
	)
	c.usual = requestKey{http.StatusOK, authn.OK, DefaultRoute}
	return c
}

type decisionKey struct {
	result string
	reason authn.Reason
	source string
}

func newDecisions() *counters[decisionKey] {
	c := newCounters("sallyport_decisions_total",
		"Decisions about tokens: what they came to, why, and who decided.",
		[]string{"result", "reason", "source"},
		func(k decisionKey) decisionKey {
			return decisionKey{results.one(k.result), reasons.one(k.reason), sources.one(k.source)}
		},
		func(k decisionKey) []string { return []string{k.result, string(k.reason), k.source} },
	)
	c.usual = decisionKey{Accepted, authn.OK, FromCache}
	return c
}

func newReviews() *counters[string] {
	c := newCounters("sallyport_tokenreviews_total",
		"TokenReviews by what they came to: yes, no, or why there was no answer.",
		[]string{"result"},
		reviews.one,
		func(k string) []string { return []string{k} },
	)
	for _, r := range reviewList {
		c.get(r)
	}
	return c
}

func newStreamsEnded() *counters[string] {
	c := newCounters("sallyport_streams_ended_total",
		"Requests under way that were ended, by why.",
		[]string{"reason"},
		ends.one,
		func(k string) []string { return []string{k} },
	)
	for _, e := range endList {
		c.get(e)
	}
	return c
}

type fetchKey struct{ issuer, result string }

func newFetches(configured []string) *counters[fetchKey] {
	configured = append([]string{ClusterIssuer}, configured...)
	issuers := closedList(configured...)
	c := newCounters("sallyport_jwks_fetches_total",
		"Fetches of an issuer's keys by what they came to.",
		[]string{"issuer", "result"},
		func(k fetchKey) fetchKey { return fetchKey{issuers.one(k.issuer), fetches.one(k.result)} },
		func(k fetchKey) []string { return []string{k.issuer, k.result} },
	)
	for _, i := range configured {
		for _, r := range fetchList {
			c.get(fetchKey{i, r})
		}
	}
	return c
}
