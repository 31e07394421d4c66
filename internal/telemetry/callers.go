package telemetry

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// A Caller is what is counted of one caller. The caller of Collect bounds how many
// there are.
type Caller struct {
	Subject             string
	Requests, Refusals  uint64
	Stale, Legacy, Late uint64
	LongestLife         time.Duration
}

// callerMetrics are in the order of [Caller]'s fields.
var callerMetrics = []struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
	of   func(*Caller) float64
}{
	{callerDesc("requests_total", "Requests let through, by caller."), prometheus.CounterValue,
		func(c *Caller) float64 { return float64(c.Requests) }},
	{callerDesc("refusals_total", "Refused tokens, by whose they were; unknown where that was not proven."), prometheus.CounterValue,
		func(c *Caller) float64 { return float64(c.Refusals) }},
	{callerDesc("stale_total", "Requests let through with a token that should have been replaced, by caller."), prometheus.CounterValue,
		func(c *Caller) float64 { return float64(c.Stale) }},
	{callerDesc("legacy_total", "Requests let through with a token from a Secret, which never ends, by caller."), prometheus.CounterValue,
		func(c *Caller) float64 { return float64(c.Legacy) }},
	{callerDesc("late_total", "Requests let through with a token in the last tenth of its life, by caller."), prometheus.CounterValue,
		func(c *Caller) float64 { return float64(c.Late) }},
	{callerDesc("token_lifetime_seconds", "The longest life of a token let through, from iat to exp, by caller."), prometheus.GaugeValue,
		func(c *Caller) float64 { return c.LongestLife.Seconds() }},
}

func callerDesc(name, help string) *prometheus.Desc {
	return prometheus.NewDesc("sallyport_caller_"+name, help, []string{"caller"}, nil)
}

// callers is a collector of those that call.
type callers func() []Caller

// Describe implements [prometheus.Collector].
func (callers) Describe(ch chan<- *prometheus.Desc) {
	for _, m := range callerMetrics {
		ch <- m.desc
	}
}

// Collect implements [prometheus.Collector].
func (f callers) Collect(ch chan<- prometheus.Metric) {
	for _, c := range f() {
		for _, m := range callerMetrics {
			ch <- prometheus.MustNewConstMetric(m.desc, m.kind, m.of(&c), c.Subject)
		}
	}
}
