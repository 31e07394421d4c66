package telemetry

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// buckets are the classic ones, in seconds: from what a remembered token and an app
// on loopback take to what people do not wait for.
var buckets = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}

// histogram has classic buckets for everybody, and native ones, 10 % apart, for
// whoever asks for them. 100 of those are 4 KiB at most; where there would be more
// they get coarser, and are fine again after an hour.
func histogram(name, help string) prometheus.HistogramOpts {
	return prometheus.HistogramOpts{
		Name: name, Help: help, Buckets: buckets,
		NativeHistogramBucketFactor:     1.1,
		NativeHistogramMaxBucketNumber:  100,
		NativeHistogramMinResetDuration: time.Hour,
	}
}

// latencies are how long things take.
type latencies struct {
	requests, reviews prometheus.Histogram
	decisions         map[string]prometheus.Observer // by source
	vec               *prometheus.HistogramVec
}

func newLatencies() *latencies {
	l := &latencies{
		requests: prometheus.NewHistogram(histogram("sallyport_request_duration_seconds",
			"Requests let through, from the end of their header to the end of their answer. Streams are left out.")),
		reviews: prometheus.NewHistogram(histogram("sallyport_tokenreview_duration_seconds",
			"TokenReviews, answered or not.")),
		vec: prometheus.NewHistogramVec(histogram("sallyport_decision_duration_seconds",
			"Decisions that were not remembered, by who decided."), []string{"source"}),
		decisions: map[string]prometheus.Observer{},
	}
	for _, s := range []string{FromLocal, FromAPIServer} {
		l.decisions[s] = l.vec.WithLabelValues(s)
	}
	return l
}
