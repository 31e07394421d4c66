package authn

// A Reason is the one word for why a request was not let through. The list is
// closed: the header text, the log field, the metric label and the
// documentation all come from it.
type Reason string

// The reasons. See docs/reasons.md for what to do about each.
const (
	// OK and Public are why a request was let through.
	OK     Reason = "ok"
	Public Reason = "public"

	// The request carries no usable credential.
	Missing Reason = "missing"
	Header  Reason = "header"

	// The token was refused without asking anybody.
	TooLarge    Reason = "too_large"
	Malformed   Reason = "malformed"
	Algorithm   Reason = "algorithm"
	Type        Reason = "type"
	Claims      Reason = "claims"
	Legacy      Reason = "legacy"
	Issuer      Reason = "issuer"
	Audience    Reason = "audience"
	APIAudience Reason = "api_audience"
	Expired     Reason = "expired"
	NotYetValid Reason = "not_yet_valid"
	UnknownKey  Reason = "unknown_key"
	Signature   Reason = "signature"
	Stale       Reason = "stale"
	Lifetime    Reason = "lifetime"

	// The API server refused the token, or named somebody else.
	Revoked  Reason = "revoked"
	Mismatch Reason = "mismatch"

	// Nobody could examine the token.
	ReviewFailed    Reason = "review_failed"
	ReviewForbidden Reason = "review_forbidden"
	KeysUnavailable Reason = "keys_unavailable"
	OwnToken        Reason = "own_token"
	Overload        Reason = "overload"

	// The request, the app or the caller failed, not the token.
	Path            Reason = "path"
	Headers         Reason = "headers"
	Body            Reason = "body"
	UpstreamRefused Reason = "upstream_refused"
	UpstreamTimeout Reason = "upstream_timeout"
	UpstreamBroken  Reason = "upstream_broken"
	ClientGone      Reason = "client_gone"
	Internal        Reason = "internal"
)

// Reasons lists every reason, in the order in which a request meets them.
var Reasons = []Reason{
	OK, Public, Headers, Path, Body, Missing, Header,
	TooLarge, Malformed, Algorithm, Type, Claims, Legacy, Issuer, Audience, APIAudience,
	Expired, NotYetValid, UnknownKey, Signature, Stale, Lifetime, Revoked, Mismatch,
	ReviewFailed, ReviewForbidden, KeysUnavailable, OwnToken, Overload,
	UpstreamRefused, UpstreamTimeout, UpstreamBroken, ClientGone, Internal,
}

// Description is what a caller may be told: nothing that the token's holder
// could not see for themself, never our audiences, never a library's text.
// It is plain ASCII without quotes or backslashes, as RFC 6750 section 3 asks
// of an error_description.
func (r Reason) Description() string {
	switch r {
	case Header:
		return "the Authorization header must be sent once, as: Bearer TOKEN"
	case TooLarge:
		return "the token is too large"
	case Malformed, Algorithm, Type, Claims:
		return "the token is not a JWT of an accepted form"
	case Legacy:
		return "the token is a service account Secret token, which never expires; use a projected token"
	case Issuer:
		return "the token is from another issuer"
	case Audience:
		return "the token is for another audience"
	case APIAudience:
		return "the token is for the API server; use a token made for this service alone"
	case Expired:
		return "the token has expired"
	case NotYetValid:
		return "the token is not valid yet"
	case Stale:
		return "the token should have been replaced; read the token file again"
	case Lifetime:
		return "the token is good for longer than is accepted here"
	default:
		return "the token was not accepted"
	}
}

// Remembered reports whether a refusal for this reason may be given again for
// a few seconds without looking. An unknown key may be published, an unknown
// issuer turn out to be the cluster's, and a token become valid, before those
// seconds are over.
func (r Reason) Remembered() bool { return r != UnknownKey && r != Issuer && r != NotYetValid }
