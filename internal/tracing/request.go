package tracing

import (
	"context"
	"net/http"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"sallyport/internal/authn"
	"sallyport/internal/traceparent"
)

// The names of attributes are OpenTelemetry's where it has some (semantic conventions
// for HTTP spans); docs/traces.md has them all.
const (
	methodKey  = attribute.Key("http.request.method")
	codeKey    = attribute.Key("http.response.status_code")
	routeKey   = attribute.Key("http.route")
	subjectKey = attribute.Key("enduser.id")
	addressKey = attribute.Key("server.address")
	reasonKey  = attribute.Key("sallyport.reason")
	resultKey  = attribute.Key("sallyport.result")
	sourceKey  = attribute.Key("sallyport.source")
)

// A Request is the span of one.
type Request struct {
	span   trace.Span
	method string
}

// An Outcome is what became of a request.
type Outcome struct {
	Code   int // that the caller saw
	Reason authn.Reason
	// Route is the configured one that was in charge, "" where none matched.
	Route string
	// Subject is who called, "" where that was not proven.
	Subject string
}

// Request begins the span of r, and has the app take it for the parent of its own: it
// replaces r's traceparent. The tracestate is the caller's and passes as it is; that of
// no trace goes (W3C Trace Context, section 3.3). The context is that of what is done
// for r.
//
// Nil and r's own context mean that nobody follows r, which goes its way untouched.
func (t *Tracer) Request(r *http.Request) (context.Context, *Request) {
	ctx := r.Context()
	parent, some := traceparent.Of(r.Header)
	if !t.sampler.follows(parent, some) {
		return ctx, nil
	}
	if some {
		ctx = trace.ContextWithRemoteSpanContext(ctx, remote(parent))
	} else {
		delete(r.Header, "Tracestate")
	}
	method := methodOf(r)
	ctx, span := t.tracer.Start(ctx, method, trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(methodKey.String(method)))
	c := span.SpanContext()
	r.Header[traceparent.Name] = []string{traceparent.Parent{
		Trace: c.TraceID().String(), Span: c.SpanID().String(), Sampled: true,
	}.String()}
	return ctx, &Request{span, method}
}

// remote is what the SDK calls a parent. It has been checked.
func remote(p traceparent.Parent) trace.SpanContext {
	id, _ := trace.TraceIDFromHex(p.Trace)
	span, _ := trace.SpanIDFromHex(p.Span)
	return trace.NewSpanContext(trace.SpanContextConfig{TraceID: id, SpanID: span, TraceFlags: trace.FlagsSampled, Remote: true})
}

// End ends the span.
func (r *Request) End(o Outcome) {
	attributes := append(make([]attribute.KeyValue, 0, 4), codeKey.Int(o.Code), reasonKey.String(string(o.Reason)))
	if o.Route != "" {
		r.span.SetName(r.method + " " + o.Route)
		attributes = append(attributes, routeKey.String(o.Route))
	}
	if o.Subject != "" {
		attributes = append(attributes, subjectKey.String(o.Subject))
	}
	r.span.SetAttributes(attributes...)
	if o.Code >= 500 { // a caller's mistake is none of the server's
		r.span.SetStatus(codes.Error, "")
	}
	r.span.End()
}

// methodOf is one of the methods that everybody knows. Else it is _OTHER, as
// OpenTelemetry has it: a method is what a caller wrote.
func methodOf(r *http.Request) string {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch,
		http.MethodDelete, http.MethodConnect, http.MethodOptions, http.MethodTrace:
		return r.Method
	}
	return "_OTHER"
}
