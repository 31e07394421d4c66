package authn

// Advice is what to do about a token that was not let through for this reason, in
// the words of docs/reasons.md. It is for operators; "" where the token is not at
// fault.
func (r Reason) Advice() string {
	switch r {
	case Missing:
		return "send Authorization: Bearer TOKEN; or make the path public"
	case Header:
		return "look for a client that adds a second header, a line break after the token, quotes"
	case Path:
		return "send the plain path; if the app needs such paths (S3, registries), --odd-paths=forward"
	case TooLarge:
		return "a token with hundreds of groups: let the issuer send fewer"
	case Malformed:
		return "opaque tokens are not supported; look for truncation"
	case Algorithm:
		return "an issuer that signs with RS256 or ES256"
	case Type:
		return "send another kind of token: refresh or logout tokens are none"
	case Claims:
		return "detail names the claim; compare with claimMappings"
	case Legacy:
		return "give the caller a projected token"
	case Issuer:
		return "detail has the issuer; compare byte for byte, a slash at the end counts"
	case Audience:
		return "project a token with our audience; the default token of a pod has the API server's"
	case APIAudience:
		return "project a token for our audience alone"
	case Expired:
		return "a client that reads its token file once and keeps it: it must read it again, once a minute at least"
	case NotYetValid:
		return "compare the clocks of the nodes"
	case UnknownKey:
		return "a token from another cluster with the same issuer name, or a key used before it was published"
	case Signature:
		return "forged, or damaged on the way"
	case Stale:
		return "a client that reads its token file once and keeps it"
	case Lifetime:
		return "project a token, which is replaced by itself; or raise the limit"
	case Revoked:
		return "detail has the API server's words"
	case Mismatch:
		return "an error line has both names. Please report it"
	case ReviewFailed:
		return "ask sallyport doctor; the log says once what failed"
	case ReviewForbidden:
		return "bind the ClusterRole in deploy/sidecar.yaml; sallyport doctor has the command"
	case KeysUnavailable:
		return "ask sallyport doctor: it says why, and where a right is missing it has the command"
	case OwnToken:
		return "ask sallyport doctor"
	case Overload:
		return "the detail says which"
	}
	return ""
}
