package telemetry

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// A TokenState is how our own token does. A zero time means that there is none yet.
type TokenState struct {
	// Expires is until when it is good, Loaded when we read it first.
	Expires, Loaded time.Time
	// Late says that the kubelet should have replaced it by now.
	Late bool
	// Rotations is how often it changed, ReadErrors how often reading it failed.
	Rotations, ReadErrors uint64
}

var (
	tokenExpiry = prometheus.NewDesc("sallyport_own_token_expiry_seconds",
		"Seconds until our own token expires; negative once it has. Absent while there is none.", nil, nil)
	tokenAge = prometheus.NewDesc("sallyport_own_token_age_seconds",
		"Seconds since we loaded our own token. Absent while there is none.", nil, nil)
	tokenLate = prometheus.NewDesc("sallyport_own_token_late",
		"1 if the kubelet should have replaced our own token by now, else 0. Absent while there is none.", nil, nil)
	tokenRotations = prometheus.NewDesc("sallyport_own_token_rotations_total",
		"How often our own token was replaced by another good one.", nil, nil)
	tokenErrors = prometheus.NewDesc("sallyport_own_token_read_errors_total",
		"How often our token file could not be read, or held no good token.", nil, nil)
)

// ownToken is a collector and not five functions, so that one scrape sees one
// token.
type ownToken func() TokenState

// Describe implements [prometheus.Collector].
func (ownToken) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{tokenExpiry, tokenAge, tokenLate, tokenRotations, tokenErrors} {
		ch <- d
	}
}

// Collect implements [prometheus.Collector]. Without a token there is no expiry
// and no age: a zero would read as "expires now", and an alert on a missing
// series says what is the case.
func (f ownToken) Collect(ch chan<- prometheus.Metric) {
	t := f()
	if !t.Expires.IsZero() {
		ch <- prometheus.MustNewConstMetric(tokenExpiry, prometheus.GaugeValue, time.Until(t.Expires).Seconds())
	}
	if !t.Loaded.IsZero() {
		late := 0.0
		if t.Late {
			late = 1
		}
		ch <- prometheus.MustNewConstMetric(tokenAge, prometheus.GaugeValue, time.Since(t.Loaded).Seconds())
		ch <- prometheus.MustNewConstMetric(tokenLate, prometheus.GaugeValue, late)
	}
	ch <- prometheus.MustNewConstMetric(tokenRotations, prometheus.CounterValue, float64(t.Rotations))
	ch <- prometheus.MustNewConstMetric(tokenErrors, prometheus.CounterValue, float64(t.ReadErrors))
}
