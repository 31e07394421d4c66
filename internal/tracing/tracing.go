// Package tracing makes spans of requests, of decisions, and of what is asked outside
// for them, and sends them to an OpenTelemetry collector.
//
// What is not followed costs a look at one header. Of what a caller wrote, a span has
// the trace's id alone: no path, no query, no header.
package tracing

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

const (
	// maxWaiting is how many spans wait to be sent, or are being sent. One takes
	// some 2 KiB, so these are 2 MiB.
	maxWaiting = 1024
	// maxBatch is how many spans one request has: at 300 bytes each, 150 KiB.
	maxBatch = 512
	// batchTime is how long a span waits for others, as OpenTelemetry has it.
	batchTime = 5 * time.Second
	// flushTime is what the end of the program waits for its last spans: no more
	// than a pod's grace has left once the requests under way are over.
	flushTime = 2 * time.Second
	// maxValue is the longest text in a span, in bytes: the log's.
	maxValue = 256
)

// Options are what a Tracer needs. Sample may be zero, all else is required.
type Options struct {
	// Endpoint takes OTLP requests in protobuf.
	Endpoint *url.URL
	// Sample is the share of the requests that are followed of those whose callers
	// belong to no trace, from 0 to 1.
	Sample float64
	// Version of the program.
	Version string
	// Observe is told what became of spans. The error says why they were not sent,
	// and is nil where they were.
	Observe func(r Result, spans int, err error)
}

// A Result is what became of spans.
type Result string

// The results.
const (
	Sent    Result = "sent"
	Failed  Result = "failed"  // the collector gave no answer, or would not have them
	Dropped Result = "dropped" // too many waited
)

// Results lists every result.
var Results = []Result{Sent, Failed, Dropped}

// A Tracer follows requests.
type Tracer struct {
	sampler  *sampler
	provider *sdk.TracerProvider
	tracer   trace.Tracer
}

// New returns a Tracer; Run must be called then. The error is about
// OTEL_RESOURCE_ATTRIBUTES, which says more of where we run.
func New(o Options) (*Tracer, error) {
	self, err := describe(o.Version)
	if err != nil {
		return nil, err
	}
	c := newClient(o)
	provider := sdk.NewTracerProvider(
		sdk.WithResource(self),
		sdk.WithSampler(sdk.AlwaysSample()), // ours has said yes by then
		sdk.WithRawSpanLimits(sdk.SpanLimits{
			AttributeValueLengthLimit: maxValue,
			AttributeCountLimit:       16, // twice what a span has
			// No events and no links: an event could be a panic's text.
		}),
		sdk.WithSpanProcessor(&queue{
			SpanProcessor: sdk.NewBatchSpanProcessor(otlptrace.NewUnstarted(c),
				sdk.WithMaxQueueSize(maxWaiting), sdk.WithMaxExportBatchSize(maxBatch),
				sdk.WithBatchTimeout(batchTime), sdk.WithExportTimeout(sendTime)),
			waiting: &c.waiting, observe: o.Observe,
		}),
	)
	return &Tracer{sampler: newSampler(o.Sample), provider: provider, tracer: provider.Tracer("sallyport")}, nil
}

// describe says who we are. A pod's host name is the pod's. The environment has the
// last word: the OpenTelemetry operator, for one, writes it.
func describe(version string) (*resource.Resource, error) {
	host, err := os.Hostname()
	if err != nil {
		return nil, err
	}
	r, err := resource.New(context.Background(),
		resource.WithAttributes(attribute.String("service.name", "sallyport"),
			attribute.String("service.version", version), attribute.String("host.name", host)),
		resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	return r, nil
}

// Run waits until ctx ends, and then at most 2 s until what waits is sent.
func (t *Tracer) Run(ctx context.Context) error {
	<-ctx.Done()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTime)
	defer cancel()
	// Its error is the time that is over, which nobody can do anything about.
	_ = t.provider.Shutdown(ctx)
	return nil
}
