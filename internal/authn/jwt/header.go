package jwt

import (
	"slices"
	"strings"

	"sallyport/internal/authn"
)

// A Header is the JOSE header (RFC 7515 section 4).
type Header struct {
	// Algorithm is one of [Algorithms].
	Algorithm string
	// KeyID is "" where the token names no key. It is whatever the caller
	// wrote, up to maxKeyID bytes: quote it in logs.
	KeyID string
	// Type is in lower case and without "application/", as RFC 7515 section
	// 4.1.9 compares it; "" where absent.
	Type string
}

// Algorithms are the signature algorithms that may be used at all: asymmetric,
// with SHA-2. No "none", no HMAC (a public key would be its secret), no EdDSA
// (Kubernetes never signs or accepts it).
var Algorithms = []string{
	"RS256", "RS384", "RS512",
	"PS256", "PS384", "PS512",
	"ES256", "ES384", "ES512",
}

// maxKeyID is what Kubernetes allows an external signer (KEP-740).
const maxKeyID = 1024

// forbidden are the header parameters that change what is verified, or with
// which key. None is followed, so none may be there.
var forbidden = []string{"crit", "b64", "jku", "x5u", "jwk"}

var headerNames = append([]string{"alg", "kid", "typ", "cty"}, forbidden...)

func parseHeader(b []byte) (h Header, err error) {
	o, err := parseObject("header", b, headerNames)
	if err != nil {
		return h, err
	}
	for _, name := range forbidden {
		if _, ok := o[name]; ok {
			return h, authn.Refuse(authn.Malformed, "the header has %q", name)
		}
	}
	if h.Algorithm, err = o.str("alg"); err != nil || !slices.Contains(Algorithms, h.Algorithm) {
		return h, authn.Refuse(authn.Algorithm, "the header's alg is none of %s", strings.Join(Algorithms, ", "))
	}
	if h.KeyID, err = o.str("kid"); err != nil {
		return h, err
	}
	if len(h.KeyID) > maxKeyID {
		return h, authn.Refuse(authn.Malformed, "the key id has %d bytes", len(h.KeyID))
	}
	typ, err := o.str("typ")
	h.Type = strings.TrimPrefix(strings.ToLower(typ), "application/")
	return h, err
}
