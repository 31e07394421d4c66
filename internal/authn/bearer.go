package authn

import (
	"net/http"
	"strings"
)

// MaxToken is the longest token in bytes that is looked at. It is far above any
// real one (a projected service account token has about 1 KiB, an OIDC token
// with many groups a few) and far below net/http's header limit.
const MaxToken = 16 << 10

// BearerToken returns the token of h's Authorization header, as RFC 6750
// section 2.1 defines it. The errors are, by [errors.Is],
//
//	ErrNoToken          no Authorization header, or another scheme
//	ErrBadRequest       more than one, or not "Bearer" 1*SP b64token
//	ErrUnauthenticated  a token that is too long to be examined
//
// The token has not been examined.
func BearerToken(h http.Header) (string, error) {
	values := h["Authorization"]
	switch len(values) {
	case 0:
		return "", &Error{Kind: ErrNoToken, Reason: Missing}
	case 1:
	default:
		// Which of them the app or a proxy in between would believe is
		// anybody's guess.
		return "", badHeader("the header is repeated")
	}
	scheme, rest, found := strings.Cut(values[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", &Error{Kind: ErrNoToken, Reason: Missing, Detail: "another scheme"}
	}
	token := strings.TrimLeft(rest, " ")
	if !found || token == "" {
		return "", badHeader("the scheme is not followed by a token")
	}
	if len(token) > MaxToken {
		return "", Refuse(TooLarge, "%d bytes", len(token))
	}
	if !isB64Token(token) {
		return "", badHeader("the token has a character that RFC 6750 does not allow")
	}
	return token, nil
}

func badHeader(detail string) *Error {
	return &Error{Kind: ErrBadRequest, Reason: Header, Detail: detail}
}

// isB64Token reports whether s is 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" /
// "+" / "/" ) *"=".
func isB64Token(s string) bool {
	body := strings.TrimRight(s, "=")
	for i := range len(body) {
		if !b64Token[body[i]] {
			return false
		}
	}
	return body != ""
}

var b64Token = func() (t [256]bool) {
	for _, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/") {
		t[c] = true
	}
	return t
}()
