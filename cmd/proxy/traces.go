package main

import (
	"context"
	"net/http"

	"go.uber.org/zap"

	"sallyport/internal/config"
	"sallyport/internal/proxy"
	"sallyport/internal/telemetry"
	"sallyport/internal/tracing"
)

// newTracer returns who makes spans, or nil where nobody wants them.
func newTracer(c *config.Config, m *telemetry.Metrics, log *zap.Logger) (*tracing.Tracer, error) {
	if c.TraceEndpoint == nil {
		return nil, nil
	}
	lost := telemetry.NewTally(func(n int, cause string) {
		log.Warn("traces are incomplete: spans could not be sent", zap.Int("times", n), zap.String("cause", cause))
	})
	v, _ := build()
	return tracing.New(tracing.Options{
		Endpoint: c.TraceEndpoint, Sample: c.TraceSample, Version: v,
		Observe: func(r tracing.Result, spans int, err error) {
			m.Spans(string(r), spans)
			if err != nil {
				lost.Add(err.Error())
			}
		},
	})
}

// tracer tells the spans of requests what became of them.
type tracer struct{ *tracing.Tracer }

// Begin implements [proxy.Tracer].
func (t tracer) Begin(r *http.Request) (context.Context, func(proxy.Done)) {
	ctx, span := t.Request(r)
	if span == nil {
		return ctx, nil
	}
	return ctx, func(d proxy.Done) {
		span.End(tracing.Outcome{Code: d.Code, Reason: d.Reason, Route: d.Route, Subject: d.Subject})
	}
}
