package telemetry

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

var (
	tokenExpiry = prometheus.NewDesc("sallyport_own_token_expiry_seconds",
		"Seconds until our own token expires; negative once it has. Absent while there is none.", nil, nil)
	tokenAge = prometheus.NewDesc("sallyport_own_token_age_seconds",
		"Seconds since we loaded our own token. Absent while there is none.", nil, nil)
	tokenRotations = prometheus.NewDesc("sallyport_own_token_rotations_total",
		"How often our own token was replaced by another good one.", nil, nil)
	tokenErrors = prometheus.NewDesc("sallyport_own_token_read_errors_total",
		"How often our token file could not be read, or held no good token.", nil, nil)
)

// ownToken is a collector and not four functions, so that one scrape sees one
// token.
type ownToken func() (expires, loaded time.Time, rotations, errors uint64)

// Describe implements [prometheus.Collector].
func (ownToken) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{tokenExpiry, tokenAge, tokenRotations, tokenErrors} {
		ch <- d
	}
}

// Collect implements [prometheus.Collector]. Without a token there is no expiry
// and no age: a zero would read as "expires now", and an alert on a missing
// series says what is the case.
func (f ownToken) Collect(ch chan<- prometheus.Metric) {
	expires, loaded, rotations, errors := f()
	if !expires.IsZero() {
		ch <- prometheus.MustNewConstMetric(tokenExpiry, prometheus.GaugeValue, time.Until(expires).Seconds())
	}
	if !loaded.IsZero() {
		ch <- prometheus.MustNewConstMetric(tokenAge, prometheus.GaugeValue, time.Since(loaded).Seconds())
	}
	ch <- prometheus.MustNewConstMetric(tokenRotations, prometheus.CounterValue, float64(rotations))
	ch <- prometheus.MustNewConstMetric(tokenErrors, prometheus.CounterValue, float64(errors))
}
