package proxy

import (
	"errors"
	"log"
	"net"
	"net/http"
	"net/http/httputil"

	"go.uber.org/zap"

	"sallyport/internal/authn"
)

// reverseProxy carries what has a body or is an upgrade.
func (p *proxy) reverseProxy(transport http.RoundTripper) *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Rewrite:   p.rewrite,
		Transport: transport,
		ModifyResponse: func(res *http.Response) error {
			x := exchangeOf(res.Request.Context())
			err := p.begin(res, x)
			if err == nil && res.StatusCode != http.StatusSwitchingProtocols { // whose body is a connection
				res.Body = answerBody{res.Body, x, res}
			}
			return err
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			x := exchangeOf(r.Context())
			p.fail(w, x, x.forwardError(err))
		},
		// Whatever the app sends goes out at once: it knows why it flushed.
		FlushInterval: -1,
		BufferPool:    &buffers,
		ErrorLog:      log.New(words{p.log.Named("reverseproxy")}, "", 0),
	}
}

// begin looks at the head of the app's answer. When it returns nil, the answer
// is on its way.
func (p *proxy) begin(res *http.Response, x *exchange) error {
	switch code := res.StatusCode; {
	case code == http.StatusSwitchingProtocols:
		if !isWebSocket(res.Request.Header) || !isWebSocket(res.Header) {
			return &failure{reason: authn.UpstreamBroken, detail: "switched protocols unasked"}
		}
	case code < 200 || code > 999: // net/http panics on some of these
		return &failure{reason: authn.UpstreamBroken, detail: "a status that does not exist"}
	}
	if !x.answer(res) {
		return &failure{reason: authn.ClientGone, detail: "ended before the answer"} // fail knows why
	}
	x.out["Content-Type"] = noGuess
	p.warn.set(res.Header, &x.identity.Token)
	filterTrailers(res)
	if x.body.halfRead() && res.StatusCode != http.StatusSwitchingProtocols {
		res.Header["Connection"] = []string{"close"}
	}
	x.code, x.answered = res.StatusCode, true
	return nil
}

// forwardError says whose fault it is that a request did not reach the app, or
// that no answer came.
func (x *exchange) forwardError(err error) error {
	var f *failure
	if errors.As(err, &f) {
		return f
	}
	if f := x.body.failure(); f != nil {
		return f
	}
	reason, detail := authn.UpstreamBroken, brokenIn("head", err)
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		reason, detail = authn.UpstreamRefused, unquoted(err.Error())
	}
	var network net.Error
	if errors.As(err, &network) && network.Timeout() {
		reason, detail = authn.UpstreamTimeout, unquoted(err.Error())
	}
	return &failure{reason: reason, detail: detail}
}

// words is an io.Writer of what ReverseProxy says by itself: a debug line a call.
type words struct{ log *zap.Logger }

// Write implements io.Writer.
func (w words) Write(p []byte) (int, error) {
	w.log.Debug(shorten(unquoted(string(p))))
	return len(p), nil
}
