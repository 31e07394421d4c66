package minicluster

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha256" // the hashes that sign names
	_ "crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
)

// Sign signs whatever it is given with the signing key: the compact JWS of
// header and claims, which are []byte or [json.RawMessage], taken as they are,
// or anything else, marshalled. A nil header is the usual one. The signature
// follows the header's alg where the key can (RS and PS of any size for RSA),
// and is the key's usual one else.
//
// It checks nothing, so it makes every forgery that a thief of the key could.
func (c *Cluster) Sign(header map[string]any, claims any) (string, error) {
	k := c.signingKey()
	if header == nil {
		header = map[string]any{"alg": k.algorithm, "kid": k.id}
	}
	h, err := json.Marshal(header)
	if err != nil {
		return "", fmt.Errorf("minicluster: header: %w", err)
	}
	return k.sign(header["alg"], h, claims)
}

// SignRaw is Sign for a header that is no JSON object, or an odd one.
func (c *Cluster) SignRaw(header []byte, claims any) (string, error) {
	return c.signingKey().sign(nil, header, claims)
}

// Header returns the usual header, to be changed and given to Sign.
func (c *Cluster) Header() map[string]any {
	k := c.signingKey()
	return map[string]any{"alg": k.algorithm, "kid": k.id}
}

func (k *key) sign(alg any, header []byte, claims any) (string, error) {
	var payload []byte
	switch v := claims.(type) {
	case []byte:
		payload = v
	case json.RawMessage:
		payload = v
	default:
		var err error
		if payload, err = json.Marshal(claims); err != nil {
			return "", fmt.Errorf("minicluster: claims: %w", err)
		}
	}
	input := base64.RawURLEncoding.EncodeToString(header) + "." + base64.RawURLEncoding.EncodeToString(payload)
	want, _ := alg.(string)
	signature, err := k.signature(want, input)
	if err != nil {
		return "", fmt.Errorf("minicluster: signing: %w", err)
	}
	return input + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}

// signature is that of RFC 7518 sections 3.3 to 3.5.
func (k *key) signature(alg, input string) ([]byte, error) {
	if ec, ok := k.signer.(*ecdsa.PrivateKey); ok {
		return signEC(ec, digest(k.algorithm, input))
	}
	hash, known := hashes[strings.TrimLeft(alg, "RPS")]
	switch {
	case known && strings.HasPrefix(alg, "PS"):
		return k.signer.Sign(rand.Reader, digest(alg, input), &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: hash})
	case known && strings.HasPrefix(alg, "RS"):
		return k.signer.Sign(rand.Reader, digest(alg, input), hash)
	default:
		return k.signer.Sign(rand.Reader, digest(k.algorithm, input), crypto.SHA256)
	}
}

var hashes = map[string]crypto.Hash{"256": crypto.SHA256, "384": crypto.SHA384, "512": crypto.SHA512}

func digest(alg, input string) []byte {
	h := hashes[alg[2:]].New()
	h.Write([]byte(input))
	return h.Sum(nil)
}

// signEC returns r and s side by side, each as long as the curve is wide.
func signEC(k *ecdsa.PrivateKey, digest []byte) ([]byte, error) {
	r, s, err := ecdsa.Sign(rand.Reader, k, digest)
	if err != nil {
		return nil, err
	}
	n := (k.Curve.Params().BitSize + 7) / 8
	out := make([]byte, 2*n)
	r.FillBytes(out[:n])
	s.FillBytes(out[n:])
	return out, nil
}
