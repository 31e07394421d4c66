package fleet

import (
	"sync/atomic"
	"time"
)

// A Series counts by the second.
type Series struct {
	began time.Time
	n     []atomic.Int64
}

// NewSeries returns one that begins at a time and is so long. What comes before or
// after is not counted.
func NewSeries(began time.Time, length time.Duration) *Series {
	return &Series{began, make([]atomic.Int64, length/time.Second)}
}

// Add counts one at t.
func (s *Series) Add(t time.Time) {
	d := t.Sub(s.began)
	if i := int(d / time.Second); d >= 0 && i < len(s.n) {
		s.n[i].Add(1)
	}
}

// Rates returns how many there were a second, on average over each step, times
// scale.
func (s *Series) Rates(step time.Duration, scale float64) []float64 {
	each := int(step / time.Second)
	rates := make([]float64, len(s.n)/each)
	for i := range rates {
		for j := range each {
			rates[i] += float64(s.n[i*each+j].Load()) * scale / step.Seconds()
		}
	}
	return rates
}

// Sum is all that was counted, times scale.
func (s *Series) Sum(scale float64) float64 {
	sum := 0.0
	for i := range s.n {
		sum += float64(s.n[i].Load()) * scale
	}
	return sum
}
