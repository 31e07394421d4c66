// Package jwt takes a compact JWS apart, strictly.
//
// Nothing that it returns has been verified: a [Token] says what somebody
// claims. Unverified claims may choose who decides about a token, or refuse it;
// they never admit anybody.
//
// The strictness is that of RFC 7515 section 7.1 and RFC 8725, and closes what
// the verifiers behind it leave open: JSON serialization, whitespace, padding,
// non-zero trailing bits, duplicate or case-varied names, times that are no
// integers. A token that Decode refuses never leaves the process.
package jwt

import (
	"encoding/base64"
	"strings"

	"sallyport/internal/authn"
)

// A Token is what a compact JWS claims. It does not hold the signature.
type Token struct {
	Header Header
	Claims Claims
}

// Decode takes a compact JWS of at most [authn.MaxToken] bytes apart, whose header and
// claims have at most 512 names each. The error is a refusal for one of the reasons
// TooLarge, Malformed, Algorithm and Claims.
//
// It judges the shape alone: what every accepted token must claim is judged by
// [Claims.Check] and [Claims.CheckTimes].
func Decode(token string) (*Token, error) {
	if len(token) > authn.MaxToken {
		return nil, authn.Refuse(authn.TooLarge, "%d bytes", len(token))
	}
	header, claims, err := split(token)
	if err != nil {
		return nil, err
	}
	var t Token
	if t.Header, err = parseHeader(header); err != nil {
		return nil, err
	}
	if t.Claims, err = parseClaims(claims); err != nil {
		return nil, err
	}
	return &t, nil
}

// split returns the decoded header and claims of a token of three parts. It
// looks for two dots and no further, so that a token of dots costs nothing.
func split(token string) (header, claims []byte, err error) {
	h, rest, ok := strings.Cut(token, ".")
	c, s, ok2 := strings.Cut(rest, ".")
	if !ok || !ok2 || strings.Contains(s, ".") {
		return nil, nil, authn.Refuse(authn.Malformed, "not three parts")
	}
	if header, err = decodePart("header", h); err != nil {
		return nil, nil, err
	}
	if claims, err = decodePart("claims", c); err != nil {
		return nil, nil, err
	}
	_, err = decodePart("signature", s)
	return header, claims, err
}

// strict refuses padding and non-zero trailing bits, so that a token has one
// spelling only.
var strict = base64.RawURLEncoding.Strict()

func decodePart(name, part string) ([]byte, error) {
	if part == "" {
		return nil, authn.Refuse(authn.Malformed, "the %s is empty", name)
	}
	// encoding/base64 skips line breaks even when strict.
	if strings.ContainsAny(part, "\r\n") {
		return nil, authn.Refuse(authn.Malformed, "the %s has a line break", name)
	}
	b, err := strict.DecodeString(part)
	if err != nil {
		// The error's text has an offset and nothing of the token.
		return nil, authn.Refuse(authn.Malformed, "the %s: %v", name, err)
	}
	return b, nil
}
