package oidc

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"

	"sallyport/internal/authn"
)

// A Result is what a fetch of keys came to.
type Result string

// The results of a fetch.
const (
	Fetched      Result = "ok"
	Empty        Result = "empty" // an answer without a usable key
	Timeout      Result = "timeout"
	Forbidden    Result = "forbidden"
	Unauthorized Result = "unauthorized"
	NoToken      Result = "own_token" // we have none to ask with
	Throttled    Result = "throttled"
	Status       Result = "status" // any other status, redirects included
	TLS          Result = "tls"
	Decode       Result = "decode" // not what was asked for, or too large
	Network      Result = "network"
)

// ResultOf says what a fetch that ended with err came to.
func ResultOf(err error) Result {
	var status *StatusError
	var ours *authn.Error
	var unverified *tls.CertificateVerificationError
	var tooLong interface{ TooLong() bool } // cut by the client
	switch {
	case err == nil:
		return Fetched
	case errors.As(err, &status):
		return statusResult(status.Code)
	case errors.As(err, &ours) && ours.Reason == authn.OwnToken:
		return NoToken
	case errors.Is(err, context.DeadlineExceeded):
		return Timeout
	case errors.As(err, &unverified):
		return TLS
	case errors.Is(err, errNoKeys):
		return Empty
	case errors.Is(err, errDecode), errors.As(err, &tooLong):
		return Decode
	}
	return Network
}

func statusResult(code int) Result {
	switch code {
	case http.StatusUnauthorized:
		return Unauthorized
	case http.StatusForbidden:
		return Forbidden
	case http.StatusTooManyRequests:
		return Throttled
	}
	return Status
}
