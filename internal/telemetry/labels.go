package telemetry

import (
	"net/http"
	"strconv"

	"sallyport/internal/authn"
)

// What a decision came to.
const (
	Accepted    = "accepted"
	Refused     = "refused"
	Unavailable = "unavailable"
)

// Who decided.
const (
	FromCache     = "cache"     // remembered
	FromLocal     = "local"     // the check of claims and signature here
	FromAPIServer = "apiserver" // a TokenReview
)

// What a TokenReview or a fetch of keys came to. Yes and No are for reviews, OK
// and Empty for fetches, Limiter for reviews; the others are for both, and mean
// that there was no answer to use.
const (
	Yes          = "yes"
	No           = "no"
	OK           = "ok"
	Empty        = "empty"        // an answer without a usable key
	Limiter      = "limiter"      // our own: it was never sent
	Timeout      = "timeout"      // our own time limit
	Forbidden    = "forbidden"    // 403: RBAC
	Unauthorized = "unauthorized" // 401: our own token
	OwnToken     = "own_token"    // we have no token of our own to ask with
	Throttled    = "throttled"    // 429
	Status       = "status"       // any other status, redirects included
	Network      = "network"      // refused, reset, cut, no such host
	TLS          = "tls"          // certificate or handshake
	Decode       = "decode"       // not what was asked for, or too large
)

// Why a request was ended while it was under way.
const (
	StreamExpired  = "expired"  // its token
	StreamRevoked  = "revoked"  // its token
	StreamShutdown = "shutdown" // ours
)

// What became of spans.
const (
	SpansSent    = "sent"
	SpansFailed  = "failed"  // the collector gave no answer, or would not have them
	SpansDropped = "dropped" // too many waited
)

// ClusterIssuer stands for the cluster's own issuers: what they are called is
// learnt, and a label must not be.
const ClusterIssuer = "cluster"

// DefaultRoute stands for the paths that no configured route matches.
const DefaultRoute = "default"

// other is what is in none of the lists.
const other = "other"

var (
	resultList = []string{Accepted, Refused, Unavailable}
	sourceList = []string{FromCache, FromLocal, FromAPIServer}

	failureList = []string{Timeout, Forbidden, Unauthorized, OwnToken, Throttled, Status, Network, TLS, Decode}
	reviewList  = append([]string{Yes, No, Limiter, other}, failureList...)
	fetchList   = append([]string{OK, Empty, other}, failureList...)
	spanList    = []string{SpansSent, SpansFailed, SpansDropped}
	endList     = []string{StreamExpired, StreamRevoked, StreamShutdown}
)

// A closed list of label values.
type closed[T ~string] map[T]bool

func closedList[T ~string](values ...T) closed[T] {
	c := closed[T]{}
	for _, v := range values {
		c[v] = true
	}
	return c
}

// one returns v if the list has it, else "other".
func (c closed[T]) one(v T) T {
	if c[v] {
		return v
	}
	return other
}

var (
	reasons = closedList(authn.Reasons...)
	results = closedList(resultList...)
	sources = closedList(sourceList...)
	reviews = closedList(reviewList...)
	fetches = closedList(fetchList...)
	ends    = closedList(endList...)
)

// statusClientGone is for the log and the metrics alone: nobody is there to get
// it. nginx made the number known.
const statusClientGone = 499

// status returns code if it is a known one, else 0. The app behind us may answer
// with any three digits, so this list is what keeps the series few.
func status(code int) int {
	if code == statusClientGone || http.StatusText(code) != "" {
		return code
	}
	return 0
}

func statusLabel(code int) string {
	if code == 0 {
		return other
	}
	return strconv.Itoa(code)
}
