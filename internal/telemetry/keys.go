package telemetry

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Keys is what is known of an issuer's keys. Issuer is one of [Options].Issuers or
// [ClusterIssuer]; a zero Fetched means that they were never fetched.
type Keys struct {
	Issuer  string
	Count   int
	Fetched time.Time
}

var (
	keyCount = prometheus.NewDesc("sallyport_keys",
		"Keys that an issuer's tokens are verified with.", []string{"issuer"}, nil)
	keyAge = prometheus.NewDesc("sallyport_keys_age_seconds",
		"Seconds since an issuer's keys were fetched. Absent until they are.", []string{"issuer"}, nil)
)

// keys is a collector of the key sets.
type keys func() []Keys

// Describe implements [prometheus.Collector].
func (keys) Describe(ch chan<- *prometheus.Desc) { ch <- keyCount; ch <- keyAge }

// Collect implements [prometheus.Collector].
func (f keys) Collect(ch chan<- prometheus.Metric) {
	for _, k := range f() {
		ch <- prometheus.MustNewConstMetric(keyCount, prometheus.GaugeValue, float64(k.Count), k.Issuer)
		if !k.Fetched.IsZero() {
			ch <- prometheus.MustNewConstMetric(keyAge, prometheus.GaugeValue, time.Since(k.Fetched).Seconds(), k.Issuer)
		}
	}
}
