package telemetry

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// A State is what is the case now, asked for at each scrape. Nil functions have no
// metric.
type State struct {
	// InFlight is how many requests are being served.
	InFlight func() int
	// CacheEntries is how many proven tokens are remembered, CacheEvictions how
	// many were forgotten for want of room.
	CacheEntries   func() int
	CacheEvictions func() uint64
	// LogDropped is how many lines the log lacks: see [Queue.Dropped].
	LogDropped func() uint64
	// Connections is how many callers' connections are open, Streams how many
	// answers that end with their credential.
	Connections, Streams func() int
	// Away is since when the API server has given no answer; zero means that it
	// does.
	Away func() time.Time
	// CertificateEnd is when the data listener's certificate expires.
	CertificateEnd func() time.Time
}

// collectors returns the metrics of what s knows.
func (s *State) collectors() (all []prometheus.Collector) {
	gauge := func(name, help string, f func() float64) {
		all = append(all, prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, f))
	}
	counter := func(name, help string, f func() float64) {
		all = append(all, prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, f))
	}
	if f := s.InFlight; f != nil {
		gauge("sallyport_in_flight_requests", "Requests being served, streams and upgraded connections among them.",
			func() float64 { return float64(f()) })
	}
	if f := s.CacheEntries; f != nil {
		gauge("sallyport_cache_entries", "Proven tokens remembered. Refusals are not among them.",
			func() float64 { return float64(f()) })
	}
	if f := s.CacheEvictions; f != nil {
		counter("sallyport_cache_evictions_total", "Proven tokens forgotten for want of room.",
			func() float64 { return float64(f()) })
	}
	if f := s.LogDropped; f != nil {
		counter("sallyport_log_lines_dropped_total", "Lines that the log lacks, since nobody took them in time.",
			func() float64 { return float64(f()) })
	}
	if f := s.Connections; f != nil {
		gauge("sallyport_connections", "Connections of callers, upgraded ones among them.",
			func() float64 { return float64(f()) })
	}
	if f := s.Streams; f != nil {
		gauge("sallyport_streams", "Answers under way that end with their credential: upgraded connections, event streams, gRPC.",
			func() float64 { return float64(f()) })
	}
	if f := s.Away; f != nil {
		gauge("sallyport_apiserver_away_seconds", "Seconds since the API server has stopped answering; 0 while it answers.",
			func() float64 {
				if since := f(); !since.IsZero() {
					return time.Since(since).Seconds()
				}
				return 0
			})
	}
	if f := s.CertificateEnd; f != nil {
		gauge("sallyport_certificate_expiry_seconds", "Seconds until the data listener's certificate expires; negative once it has.",
			func() float64 { return time.Until(f()).Seconds() })
	}
	return all
}
