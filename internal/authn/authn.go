// Package authn holds the words of authentication that every other package
// shares: who a caller is, who says so, and why a caller was refused.
//
// It does no I/O.
package authn

import (
	"context"
	"net/netip"
	"sync/atomic"
	"time"
)

// An Identity is a proven caller.
//
// An Identity and everything it points to is shared between requests and must
// not be changed once an [Authenticator] has returned it.
type Identity struct {
	// Subject is the user name: system:serviceaccount:NAMESPACE:NAME, or what
	// the issuer's claim mappings say. Never empty.
	Subject string
	// UID is the service account's uid, or what the issuer's mapping says.
	UID string
	// Groups are in the order in which Kubernetes lists them.
	Groups []string
	// Extra has the pod, the node and the credential id, under the keys that
	// Kubernetes uses (lower case, with a domain prefix).
	Extra map[string][]string
	// Audiences are those of ours that the token was made for.
	Audiences []string
	// Expires is exp plus the leeway: the one instant that decides acceptance,
	// remembering, serving during an outage, and streams.
	Expires time.Time

	// Standing says who vouches for all this.
	Standing Standing
	// Proof is the signing key that proved the token here, and nil where the
	// API server alone vouches.
	Proof *Proof
	// Token is what the token says of its own life.
	Token Token

	// Memo, where the decision is remembered, keeps what somebody makes of this
	// Identity for each request alike. It says nothing of the caller.
	Memo *atomic.Value
}

// A Token is what a proven token says of its own life. A time that it does not
// say is zero.
type Token struct {
	ID      string    // jti
	Issued  time.Time // iat
	Expires time.Time // exp, without leeway
	// WarnAfter is when a token that the API server extended to a year should
	// have been replaced: the claim kubernetes.io.warnafter.
	WarnAfter time.Time
	// Legacy is a service account token that is kept in a Secret: it has no end.
	Legacy bool
}

// Stale reports whether the token should have been replaced by now, though it
// has not expired.
func (t *Token) Stale(now time.Time) bool {
	return !t.WarnAfter.IsZero() && !now.Before(t.WarnAfter)
}

// Standing says who vouches for an [Identity], and so how long it may be
// remembered.
type Standing uint8

const (
	// Local was proven here, and nobody else is asked: it stands until it
	// expires or its Proof is withdrawn.
	Local Standing = iota
	// Confirmed has the API server's yes: it stands for the recheck interval.
	Confirmed
	// Unconfirmed was proven here, but the API server, who would have to
	// confirm it, gives no answer, and the operator chose to serve it all the
	// same. It is never remembered.
	Unconfirmed
)

// A Proof is one issuer's signing key, as far as a remembered decision needs to
// know it. When the key leaves its key set, the proof is withdrawn, and with it
// every decision that rests on it.
type Proof struct {
	Issuer string
	KeyID  string

	withdrawn atomic.Bool
}

// Withdraw ends the proof for good.
func (p *Proof) Withdraw() { p.withdrawn.Store(true) }

// Stands reports whether the key is still in its key set. A nil Proof stands:
// then the API server vouches.
func (p *Proof) Stands() bool { return p == nil || !p.withdrawn.Load() }

// An Authenticator says who a token belongs to. A nil error means that the
// token is good. Any other error is, by [errors.Is], one of
//
//	ErrUnauthenticated  the token was examined and refused
//	ErrUnavailable      nobody could examine it
//	ctx.Err()           the caller went away first
//
// and the first two carry a [Reason].
type Authenticator interface {
	Authenticate(ctx context.Context, token string) (Identity, error)
}

// Func lets a function be an [Authenticator].
type Func func(ctx context.Context, token string) (Identity, error)

// Authenticate calls f.
func (f Func) Authenticate(ctx context.Context, token string) (Identity, error) {
	return f(ctx, token)
}

// A Caller is what a decision may know of the connection that a token came on.
// It chooses a place in a queue and nothing else: it never admits.
type Caller struct {
	// Addr is the address of the socket's other end, not of any header. The
	// zero Addr shares one place.
	Addr netip.Addr
	// Known is set where the same token was admitted before and is being
	// rechecked.
	Known bool
}

type callerKey struct{}

// WithCaller returns a context that carries c.
func WithCaller(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// CallerOf returns the caller that ctx carries, or the zero Caller.
func CallerOf(ctx context.Context) Caller {
	c, _ := ctx.Value(callerKey{}).(Caller)
	return c
}
