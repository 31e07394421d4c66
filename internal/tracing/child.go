package tracing

import (
	"context"
	"net/http"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"sallyport/internal/authn"
)

// child begins a span below that of ctx. It is not ok where nobody follows the request.
// The request may be over by now: others may wait for what was begun for it.
func child(ctx context.Context, name string, kind trace.SpanKind) (_ context.Context, _ trace.Span, ok bool) {
	parent := trace.SpanFromContext(ctx)
	if !parent.SpanContext().IsSampled() {
		return ctx, nil, false
	}
	ctx, span := parent.TracerProvider().Tracer("sallyport").Start(ctx, name, trace.WithSpanKind(kind))
	return ctx, span, true
}

// Authenticator makes a span of each decision that is made for a request.
func Authenticator(next authn.Authenticator) authn.Authenticator {
	return authn.Func(func(ctx context.Context, token string) (authn.Identity, error) {
		ctx, span, ok := child(ctx, "decide", trace.SpanKindInternal)
		if !ok {
			return next.Authenticate(ctx, token)
		}
		id, err := next.Authenticate(ctx, token)
		span.End()
		return id, err
	})
}

// Decided says what the decision under way came to, why, and who decided. Failed says
// that nobody could.
func Decided(ctx context.Context, result string, r authn.Reason, source string, failed bool) {
	span := trace.SpanFromContext(ctx)
	if !span.IsRecording() {
		return
	}
	span.SetAttributes(resultKey.String(result), reasonKey.String(string(r)), sourceKey.String(source))
	if failed {
		span.SetStatus(codes.Error, "")
	}
}

// Client returns c with a span of that name for each of its requests that is made for
// one that is followed. It sends no trace context: the API server would trace whatever
// a caller of ours asks it to, and other hosts are other people's.
func Client(c *http.Client, name string) *http.Client {
	traced := *c
	next := c.Transport
	if next == nil {
		next = http.DefaultTransport
	}
	traced.Transport = roundTripper{next, name}
	return &traced
}

type roundTripper struct {
	next http.RoundTripper
	name string
}

// RoundTrip implements [http.RoundTripper]. The span ends with the answer's header:
// these answers are short.
func (t roundTripper) RoundTrip(r *http.Request) (*http.Response, error) {
	_, span, ok := child(r.Context(), t.name, trace.SpanKindClient)
	if !ok {
		return t.next.RoundTrip(r)
	}
	span.SetAttributes(methodKey.String(r.Method), addressKey.String(r.URL.Host))
	res, err := t.next.RoundTrip(r)
	switch {
	case err != nil: // its text is in the log
		span.SetStatus(codes.Error, "")
	default:
		span.SetAttributes(codeKey.Int(res.StatusCode))
		if res.StatusCode >= 400 {
			span.SetStatus(codes.Error, "")
		}
	}
	span.End()
	return res, err
}
