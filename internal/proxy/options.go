package proxy

import (
	"context"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"go.uber.org/zap"

	"sallyport/internal/authn"
	"sallyport/internal/inflight"
)

// Options are what [New] needs.
type Options struct {
	// Authenticator decides about tokens. Required.
	Authenticator authn.Authenticator
	// Target is the scheme and the host that requests are sent to, as
	// [Transport.Target] gives it. Its path and query are not used. Required.
	Target *url.URL
	// Transport carries requests to the app. Required; see [NewTransport].
	Transport http.RoundTripper

	// Routes are in order: the first that matches decides. A path that none
	// matches needs a token.
	Routes []Route
	// ForwardAuthorization hands the caller's token to the app on the paths
	// that no route matches.
	ForwardAuthorization bool
	// ForwardOddPaths forwards a path that is not canonical, if its token is
	// good, instead of refusing it. Such a path matches no route.
	ForwardOddPaths bool
	// TrustedPeers are those whose X-Forwarded-*, Forwarded and X-Real-Ip are
	// kept and extended. Default none.
	TrustedPeers []netip.Prefix
	// Headers names what tells the app who is calling.
	Headers HeaderNames

	// WarnStale and WarnLegacy have the answer to a caller tell it that its token
	// should have been replaced, or that it never ends.
	WarnStale, WarnLegacy bool

	// Streams end requests whose credential ends. Nil: each goes on to its own
	// end.
	Streams *Streams
	// InFlight has the places of requests under way. Default no limit.
	InFlight *inflight.Limiter
	// MaxHeaders is how many lines a request's header may have; zero means any.
	MaxHeaders int

	// Log gets a line for each refusal and outage, within bounds, and for some of
	// the requests let through; at level debug, one for each request. Default
	// none.
	Log *zap.Logger
	// Ledger has requests that are over counted. Default none.
	Ledger *Ledger
	// Tracer makes spans. Default none.
	Tracer Tracer
}

// A Tracer follows requests.
type Tracer interface {
	// Begin is called before anything is done for a request. It may replace the
	// request's trace context, which the app and the log then get. It returns the
	// context of what is done for the request, and who is told when that is over: nil
	// if nobody is.
	Begin(*http.Request) (context.Context, func(Done))
}

// An Observer is told about requests that are over, which a WebSocket is when it
// closes. Its method may be called by several goroutines at a time, and must not use the
// [Ledger] that calls it. It must not keep the Done.
type Observer interface{ Ended(*Done) }

// A Done is a request that is over.
type Done struct {
	// Route is the path of the route that was in charge, as it was configured,
	// and "" where none matched.
	Route string
	// Code is the status that the caller saw, or 499 where the caller left before
	// there was one.
	Code   int
	Reason authn.Reason
	// Took is from the end of the request's header to the end of the answer, which
	// was at End.
	Took time.Duration
	End  time.Time
	// Stream is an answer that ends with its credential, and so says nothing by
	// how long it took.
	Stream bool
	// Refused is a token that was examined and refused.
	Refused bool
	// Explain returns what may be shown of a request that was not let through; it
	// is nil for one that was.
	Explain func() Explanation
	// Subject is who called, or whose token was refused: "" where that was not
	// proven. Token is its token, and nil where there is none or it was not let in. It is
	// shared, and must not be changed.
	Subject string
	Token   *authn.Token

	unlogged bool // it was let through, and the log has no line for it
}

// An Explanation is fit for a log, as [Options].Log would have it.
type Explanation struct{ Peer, Path, Detail string }

type nobody struct{}

func (nobody) Ended(*Done) {}
