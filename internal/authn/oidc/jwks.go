package oidc

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	jose "github.com/go-jose/go-jose/v4"

	"sallyport/internal/authn"
	"sallyport/internal/authn/jwt"
)

// maxKeys bounds one issuer's keys. Kubernetes publishes a handful, the largest
// public providers about ten.
const maxKeys = 100

// minRSA is the least modulus in bits (NIST SP 800-131A; RFC 7518 section 3.3).
const minRSA = 2048

// maxRSA bounds what one signature costs. crypto/tls draws the line there too.
const maxRSA = 8192

// A key is one usable public key of an issuer.
type key struct {
	jose.JSONWebKey
	// thumbprint tells two keys of the same id apart.
	thumbprint [sha256.Size]byte
	proof      *authn.Proof
	// missing is when a good fetch first lacked the key; zero while it is
	// published.
	missing time.Time
	// since is when a good fetch first had it.
	since time.Time
}

var (
	errDecode = errors.New("not what was asked for")
	errNoKeys = errors.New("no key that can be used")
)

// parseKeys returns the usable keys of a JWK Set (RFC 7517). Keys of other kinds
// or uses, and malformed ones, are passed over, as section 5 asks: one of them
// must not take the others away. No usable key is an error.
func parseKeys(issuer string, body []byte) ([]*key, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(body, &set); err != nil {
		return nil, fmt.Errorf("%w: no JWK Set", errDecode)
	}
	if len(set.Keys) > maxKeys {
		return nil, fmt.Errorf("%w: the JWK Set has %d keys, more than %d", errDecode, len(set.Keys), maxKeys)
	}
	var keys []*key
	for _, raw := range set.Keys {
		if k := parseKey(issuer, raw); k != nil {
			keys = append(keys, k)
		}
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("%w: the JWK Set has %d keys", errNoKeys, len(set.Keys))
	}
	return keys, nil
}

func parseKey(issuer string, raw []byte) *key {
	k := &key{proof: &authn.Proof{Issuer: issuer}}
	if k.UnmarshalJSON(raw) != nil || !k.Valid() || !k.IsPublic() {
		return nil
	}
	if k.Use != "" && k.Use != "sig" || k.Algorithm != "" && !slices.Contains(jwt.Algorithms, k.Algorithm) {
		return nil
	}
	if r, ok := k.Key.(*rsa.PublicKey); ok && !fitRSA(r) {
		return nil
	}
	if !slices.ContainsFunc(jwt.Algorithms, k.fits) {
		return nil
	}
	sum, err := k.Thumbprint(crypto.SHA256)
	if err != nil {
		return nil
	}
	copy(k.thumbprint[:], sum)
	k.proof.KeyID = k.KeyID
	return k
}

// fitRSA reports whether signatures under r prove anything, and cost no more than
// they should. Its exponent is odd and from 3 (RFC 8017 section 3.1): under 1
// everybody can sign. From 2^31 crypto/rsa refuses it.
func fitRSA(r *rsa.PublicKey) bool {
	return r.N.BitLen() >= minRSA && r.N.BitLen() <= maxRSA && r.E >= 3 && r.E%2 == 1 && r.E <= math.MaxInt32
}

// fits reports whether the key may verify a signature of that algorithm: one
// kind of key for each, and the key's own alg where it names one (RFC 8725
// section 3.1).
func (k *key) fits(alg string) bool {
	if k.Algorithm != "" && k.Algorithm != alg {
		return false
	}
	switch pub := k.Key.(type) {
	case *rsa.PublicKey:
		return strings.HasPrefix(alg, "RS") || strings.HasPrefix(alg, "PS")
	case *ecdsa.PublicKey:
		return alg == map[int]string{256: "ES256", 384: "ES384", 521: "ES512"}[pub.Curve.Params().BitSize]
	default:
		return false
	}
}

// same reports whether both are one key: the same material under the same id
// for the same algorithm.
func (k *key) same(other *key) bool {
	return k.KeyID == other.KeyID && k.Algorithm == other.Algorithm && k.thumbprint == other.thumbprint
}
