package main

import (
	"net/http"
	"net/netip"
	"testing"
	"time"

	"sallyport/internal/authn"
	"sallyport/internal/proxy"
)

// BenchmarkKnownToken is what a request with a known token waits for: its header
// read, and the decision of the whole of what is wired found, counted and told.
func BenchmarkKnownToken(b *testing.B) {
	w := start(b)
	token := w.token()
	h := http.Header{"Authorization": {"Bearer " + token}}
	ctx := authn.WithCaller(b.Context(), authn.Caller{Addr: netip.MustParseAddr("127.0.0.1")})
	decide := func() {
		token, err := authn.BearerToken(h)
		if err == nil {
			_, err = w.gate.decider.Authenticate(ctx, token)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	decide() // it is new
	b.ReportAllocs()
	for b.Loop() {
		decide()
	}
	b.ReportMetric(float64(len(token)), "token-bytes")
}

// BenchmarkObserve is what is counted of a request that is let in: by the metrics, the
// callers and the status page, where callers have metrics too. The decision is counted
// in [BenchmarkKnownToken].
func BenchmarkObserve(b *testing.B) {
	w := start(b, "--caller-metrics=256")
	o := observer{w.gate.metrics, w.gate.callers, w.gate.recent}
	d := proxy.Done{
		Code: http.StatusOK, Reason: authn.OK, Took: time.Millisecond, End: time.Now(), Subject: "system:serviceaccount:shop:checkout",
		Token: &authn.Token{Issued: time.Now(), Expires: time.Now().Add(time.Hour)},
	}
	b.ReportAllocs()
	for b.Loop() {
		o.Ended(&d)
	}
}
