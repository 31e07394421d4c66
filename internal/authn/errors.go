package authn

import (
	"errors"
	"fmt"
	"time"
)

var (
	// ErrUnauthenticated is a refusal: the token was examined and is not good.
	ErrUnauthenticated = errors.New("unauthenticated")
	// ErrUnavailable is an outage: nobody could examine the token.
	ErrUnavailable = errors.New("unavailable")
	// ErrNoToken means that the request carries no bearer token.
	ErrNoToken = errors.New("no bearer token")
	// ErrBadRequest means that the Authorization header is malformed or
	// repeated.
	ErrBadRequest = errors.New("malformed Authorization header")
)

// An Error is a decision against a request: what kind, why, and what the log
// should know. Only [Reason.Description] may be told to the caller.
type Error struct {
	// Kind is one of the four errors above.
	Kind error
	// Reason names the check that failed.
	Reason Reason
	// Detail is for the log. It never holds a token or part of one.
	Detail string
	// RetryAfter is when trying again makes sense; zero means that nothing is
	// known. Only an outage has one.
	RetryAfter time.Duration
	// Subject is whose token was refused, where that was proven before the
	// refusal; else "".
	Subject string
}

// Error implements error.
func (e *Error) Error() string {
	if e.Detail == "" {
		return fmt.Sprintf("%v: %s", e.Kind, e.Reason)
	}
	return fmt.Sprintf("%v: %s: %s", e.Kind, e.Reason, e.Detail)
}

// Unwrap makes [errors.Is] see the kind.
func (e *Error) Unwrap() error { return e.Kind }

// Refuse returns a refusal. The detail is for the log: it must not hold any
// part of a token's signature.
func Refuse(r Reason, format string, args ...any) *Error {
	return &Error{Kind: ErrUnauthenticated, Reason: r, Detail: fmt.Sprintf(format, args...)}
}

// Unavailable returns an outage.
func Unavailable(r Reason, format string, args ...any) *Error {
	return &Error{Kind: ErrUnavailable, Reason: r, Detail: fmt.Sprintf(format, args...)}
}

// ReasonOf returns the reason that err carries, and Internal where it carries
// none, which is a bug of ours.
func ReasonOf(err error) Reason {
	var e *Error
	if errors.As(err, &e) {
		return e.Reason
	}
	return Internal
}
