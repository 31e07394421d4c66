package tokenreview

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
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
	Unauthorized Result = "unauthorized" // our own token was refused
	Forbidden    Result = "forbidden"    // our own permission is missing
	Throttled    Result = "throttled"
	Status       Result = "status" // any other status
	Undecodable  Result = "decode"
)

// Results lists every result.
var Results = []Result{Yes, No, Limited, Timeout, Network, TLS, Unauthorized, Forbidden, Throttled, Status, Undecodable}

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
	var unknown x509.UnknownAuthorityError
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
	case errors.As(err, &unverified), errors.As(err, &unknown):
		// The CA file is read again meanwhile.
		f.result, f.again = TLS, true
	case errors.Is(err, context.DeadlineExceeded):
		f.result, f.again = Timeout, true
	default:
		f.result, f.again = Network, true
	}
	if s, ok := apierrors.SuggestsClientDelay(err); ok {
		f.after = time.Duration(s) * time.Second
	}
	return f
}

// err is what the caller's decision ends with: an outage, and whose fault.
func (f *failure) err() *authn.Error {
	e := authn.Unavailable(authn.ReviewFailed, "%s", f)
	switch f.result {
	case Unauthorized:
		e.Reason = authn.OwnToken
	case Forbidden:
		e.Reason = authn.ReviewForbidden
	}
	e.RetryAfter = f.after
	return e
}

// String says what failed and, where it is known, what helps.
func (f *failure) String() string {
	cause := f.cause.Error()
	cause = cause[:min(len(cause), maxCause)]
	switch f.result {
	case Unauthorized:
		return "the API server refuses our own token, not the caller's: " + cause
	case Forbidden:
		return "our service account may not create tokenreviews.authentication.k8s.io; bind it to a ClusterRole that may, such as system:auth-delegator: " + cause
	default:
		return fmt.Sprintf("no review from the API server (%s): %s", f.result, cause)
	}
}

// maxCause bounds what a server's words may take of a log line, in bytes.
const maxCause = 400
