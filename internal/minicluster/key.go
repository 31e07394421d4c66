package minicluster

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"slices"
	"sync"

	"github.com/go-jose/go-jose/v4"
)

// A key is one signing key. It verifies for as long as it is in Cluster.keys.
type key struct {
	id        string
	algorithm string
	signer    crypto.Signer
	hidden    bool // verifies, but is not published
}

// newKey names the signer as Kubernetes does: by the hash of its public half.
func newKey(s crypto.Signer) (*key, error) {
	der, err := x509.MarshalPKIXPublicKey(s.Public())
	if err != nil {
		return nil, fmt.Errorf("minicluster: key: %w", err)
	}
	algorithm := "RS256"
	if p, ok := s.Public().(*ecdsa.PublicKey); ok {
		algorithm = map[elliptic.Curve]string{elliptic.P256(): "ES256", elliptic.P384(): "ES384", elliptic.P521(): "ES512"}[p.Curve]
	}
	sum := sha256.Sum256(der)
	return &key{id: base64.RawURLEncoding.EncodeToString(sum[:]), algorithm: algorithm, signer: s}, nil
}

func generate(algorithm string) (crypto.Signer, error) {
	switch algorithm {
	case "RS256":
		return rsa.GenerateKey(rand.Reader, 2048) // what kubeadm generates
	case "ES256":
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "ES384":
		return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "ES512":
		return ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	}
	return nil, fmt.Errorf("minicluster: %q is none of RS256, ES256, ES384, ES512", algorithm)
}

// jwk is the key as it stands in the key set.
func (k *key) jwk() jose.JSONWebKey {
	return jose.JSONWebKey{Key: k.signer.Public(), KeyID: k.id, Algorithm: k.algorithm, Use: "sig"}
}

var shared struct {
	sync.Mutex
	keys []crypto.Signer
}

// SharedKeys returns n RSA keys of this process, from number from on. They are
// generated when they are first asked for, which takes about a tenth of a
// second each. Clusters that are strangers to each other need different ones.
func SharedKeys(from, n int) []crypto.Signer {
	shared.Lock()
	defer shared.Unlock()
	for len(shared.keys) < from+n {
		k, err := generate("RS256")
		if err != nil {
			panic(err) // crypto/rand does not fail, and 2048 bits are enough
		}
		shared.keys = append(shared.keys, k)
	}
	return slices.Clone(shared.keys[from : from+n])
}
