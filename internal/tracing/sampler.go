package tracing

import (
	"math/rand/v2"

	"golang.org/x/time/rate"

	"sallyport/internal/traceparent"
)

// maxTraces is how many requests a second are followed of those that callers ask for,
// and as many again of others: nobody reads more, a span costs what a decision does
// several times over, and anybody can ask.
const maxTraces = 100

// A sampler says which requests are followed: as the caller's trace is, or at random.
type sampler struct {
	share float64
	// asked is for the callers' traces, chosen for others, so that who asks for too
	// many takes nothing from these.
	asked, chosen *rate.Limiter
}

func newSampler(share float64) *sampler {
	return &sampler{share, rate.NewLimiter(maxTraces, maxTraces), rate.NewLimiter(maxTraces, maxTraces)}
}

// follows decides about a request of a trace, or of none.
func (s *sampler) follows(parent traceparent.Parent, some bool) bool {
	if some {
		return parent.Sampled && s.asked.Allow()
	}
	return s.share > 0 && rand.Float64() < s.share && s.chosen.Allow()
}
