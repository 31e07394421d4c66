package proxy

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"sallyport/internal/authn"
)

// A failure is what goes wrong beside the token: the request, the app, the
// caller, or our own code.
type failure struct {
	reason authn.Reason
	detail string // for the log
}

// Error implements error.
func (f *failure) Error() string { return string(f.reason) + ": " + f.detail }

// statusClientGone is nginx's number for a caller who left before the answer.
// It goes to the log and never on a wire.
const statusClientGone = 499

// fail answers with what a caller may know of err, and notes the rest for the
// log. It is the only place that turns an error into a status. Once the app's
// answer is on its way there is no status to choose: the caller sees a cut.
func (p *proxy) fail(w http.ResponseWriter, x *exchange, err error) {
	if e := x.flight.ending.Load(); e != nil && !x.answered {
		err = authn.Refuse(e.reason, "before the app had answered")
	}
	if x.gone() {
		err = &failure{reason: authn.ClientGone, detail: "left before the answer"}
	}
	code := 0
	code, x.reason, x.detail = verdict(err)
	var refusal *authn.Error
	if errors.As(err, &refusal) && refusal.Kind == authn.ErrUnauthenticated {
		x.refused, x.whose = true, refusal.Subject
	}
	if x.answered {
		x.abort = true
		return
	}
	x.code = code
	if code == statusClientGone {
		// Returning would send an empty 200 to whoever still listens.
		x.abort = true
		return
	}
	h := w.Header()
	if c := challenge(code, err, x.reason); c != "" {
		h.Set("WWW-Authenticate", c)
	}
	if code == http.StatusServiceUnavailable {
		h.Set("Retry-After", retryAfter(err))
	}
	if x.in.ProtoMajor == 2 && code == http.StatusUnauthorized || x.reason == authn.Body || x.body.halfRead() {
		// HTTP/2: net/http sends GOAWAY, so that a flood of streams without a
		// good token (CVE-2023-44487) pays for a connection each time.
		// k8s.io/apiserver does so too (pkg/endpoints/filters/authentication.go).
		// HTTP/1.1: what is left of the body must be nobody's request.
		h.Set("Connection", "close")
	}
	answer(w, code)
}

// verdict gives the status, the reason and the log's detail of err.
func verdict(err error) (int, authn.Reason, string) {
	var f *failure
	if errors.As(err, &f) {
		return f.status(), f.reason, f.detail
	}
	var e *authn.Error
	if !errors.As(err, &e) {
		// Not even the contract's words. The text may hold anything.
		return http.StatusInternalServerError, authn.Internal, "an error without a reason"
	}
	switch e.Kind {
	case authn.ErrNoToken, authn.ErrUnauthenticated:
		return http.StatusUnauthorized, e.Reason, e.Detail
	case authn.ErrBadRequest:
		return http.StatusBadRequest, e.Reason, e.Detail
	case authn.ErrUnavailable:
		return http.StatusServiceUnavailable, e.Reason, e.Detail
	}
	return http.StatusInternalServerError, authn.Internal, "an error of no known kind"
}

func (f *failure) status() int {
	switch f.reason {
	case authn.Path, authn.Body:
		return http.StatusBadRequest
	case authn.Headers:
		return http.StatusRequestHeaderFieldsTooLarge
	case authn.UpstreamRefused, authn.UpstreamBroken:
		return http.StatusBadGateway
	case authn.UpstreamTimeout:
		return http.StatusGatewayTimeout
	case authn.ClientGone:
		return statusClientGone
	}
	return http.StatusInternalServerError
}

// challenge returns the WWW-Authenticate header of RFC 6750 section 3, or ""
// where err is not about the caller's credentials.
func challenge(code int, err error, r authn.Reason) string {
	const bare = `Bearer realm="sallyport"`
	switch {
	case errors.Is(err, authn.ErrNoToken):
		return bare // section 3.1: no error code for who did not try
	case errors.Is(err, authn.ErrBadRequest):
		return bare + `, error="invalid_request", error_description="` + r.Description() + `"`
	case code == http.StatusUnauthorized:
		return bare + `, error="invalid_token", error_description="` + r.Description() + `"`
	}
	return ""
}

// retryAfter returns the seconds to wait, rounded up: 1 where nothing is known,
// as an outage's end is looked for every second, and 30 at most, so that no
// caller sleeps long past it.
func retryAfter(err error) string {
	var e *authn.Error
	var wait time.Duration
	if errors.As(err, &e) {
		wait = e.RetryAfter
	}
	seconds := int64((wait + time.Second - 1) / time.Second)
	return strconv.FormatInt(min(max(seconds, 1), 30), 10)
}

// answer writes one of our own answers.
func answer(w http.ResponseWriter, code int) {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	// Whoever does not read it has left.
	_, _ = w.Write([]byte(http.StatusText(code) + "\n"))
}
