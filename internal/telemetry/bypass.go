package telemetry

import "github.com/prometheus/client_golang/prometheus"

var upstreamBypass = prometheus.NewDesc("sallyport_upstream_bypass",
	"1 if the app answers at the pod's addresses, past the gate; else 0. Absent while nobody has looked.", nil, nil)

// bypass is a collector, so that it can be absent: a zero would read as "it was
// looked for, and is not there".
type bypass func() (found, known bool)

// Describe implements [prometheus.Collector].
func (bypass) Describe(ch chan<- *prometheus.Desc) { ch <- upstreamBypass }

// Collect implements [prometheus.Collector].
func (f bypass) Collect(ch chan<- prometheus.Metric) {
	found, known := f()
	if !known {
		return
	}
	var v float64
	if found {
		v = 1
	}
	ch <- prometheus.MustNewConstMetric(upstreamBypass, prometheus.GaugeValue, v)
}
