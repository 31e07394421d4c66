package tracing

import (
	"sync/atomic"

	sdk "go.opentelemetry.io/otel/sdk/trace"
)

// A queue stands in front of the SDK's, which drops spans without a word where it is
// full: this one is full before that.
type queue struct {
	sdk.SpanProcessor
	waiting *atomic.Int64 // the client takes off what it is done with
	observe func(Result, int, error)
}

// OnEnd implements [sdk.SpanProcessor].
func (q *queue) OnEnd(s sdk.ReadOnlySpan) {
	if q.waiting.Add(1) > maxWaiting {
		q.waiting.Add(-1)
		q.observe(Dropped, 1, errFull)
		return
	}
	q.SpanProcessor.OnEnd(s)
}
