package main

import (
	"net/http"
	"net/netip"
	"testing"

	"sallyport/internal/authn"
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
