package tokenreview

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"sallyport/internal/authn"
)

// A Result is how a review ended.
type Result string

// The results. All but Yes and No are outages.
const (
	Yes          Result = "yes"
	No           Result = "no"
	Limited      Result = "limiter"
	Timeout      Result = "timeout"
	Network      Result = "network"
	TLS          Result = "tls"
	NoToken      Result = "own_token"    // we have no token of our own to ask with
	Unauthorized Result = "unauthorized" // our own token was refused
	Forbidden    Result = "forbidden"    // our own permission is missing
	Throttled    Result = "throttled"
	Status       Result = "status" // any other status
	Undecodable  Result = "decode"
)

// Results lists every result.
var Results = []Result{Yes, No, Limited, Timeout, Network, TLS, NoToken, Unauthorized, Forbidden, Throttled, Status, Undecodable}

// A failure is a review without an answer.
type failure struct {
	result Result
	cause  error
	// again says that a second try makes sense at once.
	again bool
	// after is what the API server asks us to wait, if it does.
	after time.Duration
}

// classify says what an unanswered review failed of. The cause's text never
// holds the request's body.
func classify(code int, err error) *failure {
	f := &failure{result: Status, cause: err}
	var unverified *tls.CertificateVerificationError
	var ours *authn.Error
	var tooLong interface{ TooLong() bool }
	switch {
	case code == http.StatusUnauthorized:
		// The token file is read again meanwhile.
		f.result, f.again = Unauthorized, true
	case code == http.StatusForbidden:
		f.result = Forbidden
	case code == http.StatusTooManyRequests:
		f.result = Throttled
	case code >= 500:
		f.again = true
	case code != 0:
	case errors.As(err, &ours) && ours.Reason == authn.OwnToken:
		// Nothing was sent.
		f.result = NoToken
	case errors.As(err, &unverified):
		// The CA file is read again meanwhile.
		f.result, f.again = TLS, true
	case errors.Is(err, context.DeadlineExceeded):
		f.result, f.again = Timeout, true
	case errors.As(err, &tooLong):
		f.result = Undecodable
	default:
		f.result, f.again = Network, true
	}
	if s, ok := apierrors.SuggestsClientDelay(err); ok {
		f.after = time.Duration(s) * time.Second
	}
	return f
}

// maybeToken reports whether another token might have been answered: the other
// failures are about ourselves, or the same for everybody.
func (f *failure) maybeToken() bool {
	switch f.result {
	case Timeout, Network, Status, Undecodable:
		return true
	}
	return false
}

// err is what the caller's decision ends with: an outage, and whose fault.
func (f *failure) err() *authn.Error {
	e := authn.Unavailable(authn.ReviewFailed, "%s", f)
	switch f.result {
	case Unauthorized, NoToken:
		e.Reason = authn.OwnToken
	case Forbidden:
		e.Reason = authn.ReviewForbidden
	}
	e.RetryAfter = f.after
	return e
}

// String says what failed and, where it is known, what helps.
func (f *failure) String() string {
	cause := clean(f.cause.Error())
	switch f.result {
	case Unauthorized:
		return "the API server refuses our own token, not the caller's: " + cause
	case NoToken:
		var ours *authn.Error
		if errors.As(f.cause, &ours) {
			cause = clean(ours.Detail)
		}
		return "no review from the API server, as we have no token of our own: " + cause
	case Forbidden:
		return "our service account may not create tokenreviews.authentication.k8s.io; bind it to a ClusterRole that may, such as system:auth-delegator: " + cause
	default:
		return fmt.Sprintf("no review from the API server (%s): %s", f.result, cause)
	}
}

// maxText bounds what a server's words may take of a log line, in bytes.
const maxText = 400

// clean makes a server's words fit for our log. A server, or a proxy in front of
// it, may echo the request, with the caller's token in the body and ours in the
// header.
func clean(text string) string {
	text = authn.Redact(text)
	return strings.ToValidUTF8(text[:min(len(text), maxText)], "?")
}
