package proxy

import (
	"net/http"

	"sallyport/internal/authn"
	"sallyport/internal/inflight"
)

// checkHeaders refuses a header of too many lines. Each costs more than its
// bytes, here and in the app, which may have a limit of its own and say 400.
func (p *proxy) checkHeaders(h http.Header) error {
	if p.maxHeaders == 0 {
		return nil
	}
	lines := 0
	for _, values := range h {
		lines += len(values)
	}
	if lines > p.maxHeaders {
		return &failure{reason: authn.Headers, detail: "more lines than --max-headers"}
	}
	return nil
}

// enter gives x a place among those who go to the app. Whoever has none hears 503:
// an overload is never the token's fault.
func (p *proxy) enter(x *exchange, k inflight.Kind, c inflight.Caller) error {
	var ok bool
	if x.place, ok = p.inFlight.Enter(x.in.Context(), k, c); !ok {
		return authn.Unavailable(authn.Overload, "too many requests under way (%s)", k)
	}
	return nil
}
