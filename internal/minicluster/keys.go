package minicluster

import (
	"crypto"
	"fmt"
	"slices"

	"github.com/go-jose/go-jose/v4"
)

// AddKey publishes a further key that does not sign yet, and returns its id.
func (c *Cluster) AddKey() (kid string, err error) {
	c.mu.Lock()
	var s crypto.Signer
	if len(c.spare) > 0 {
		s, c.spare = c.spare[0], c.spare[1:]
	}
	c.mu.Unlock()
	if s == nil {
		// Takes a while, and nobody has to wait for it.
		if s, err = generate(c.algorithm); err != nil {
			return "", err
		}
	}
	k, err := newKey(s)
	if err != nil {
		return "", err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keys = append(c.keys, k)
	return k.id, nil
}

// SignWith makes a key that is there the one that signs.
func (c *Cluster) SignWith(kid string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, k := range c.keys {
		if k.id == kid {
			c.signing = k
			return nil
		}
	}
	return fmt.Errorf("minicluster: no key %q", kid)
}

// RotateKey adds a key and signs with it at once. The older keys stay. A real
// issuer publishes a key long before: AddKey, a pause, SignWith.
func (c *Cluster) RotateKey() (kid string, err error) {
	if kid, err = c.AddKey(); err != nil {
		return "", err
	}
	return kid, c.SignWith(kid)
}

// RemoveKey forgets a key: what it signed is no longer accepted, or published.
// Removing the signing key is what a restored backup may do: it still signs,
// and nobody accepts it.
func (c *Cluster) RemoveKey(kid string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keys = slices.DeleteFunc(c.keys, func(k *key) bool { return k.id == kid })
}

// HideKey keeps a key out of the key set, or puts it back; it verifies all the
// same. External signers have such keys (KEP-740, exclude_from_oidc_discovery).
func (c *Cluster) HideKey(kid string, hidden bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, k := range c.keys {
		if k.id == kid {
			k.hidden = hidden
		}
	}
}

// SigningKey returns the id of the key that signs.
func (c *Cluster) SigningKey() string { return c.signingKey().id }

func (c *Cluster) signingKey() *key {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.signing
}

// published returns the key set as it is served.
func (c *Cluster) published() jose.JSONWebKeySet {
	c.mu.Lock()
	defer c.mu.Unlock()
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{}}
	for _, k := range c.keys {
		if !k.hidden {
			set.Keys = append(set.Keys, k.jwk())
		}
	}
	return set
}

// verifiers returns the public keys to try for a token's kid: that key alone,
// or all of them where the token names none (pkg/serviceaccount/jwt.go).
func (c *Cluster) verifiers(kid string) (public []crypto.PublicKey) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, k := range c.keys {
		if kid == "" || kid == k.id {
			public = append(public, k.signer.Public())
		}
	}
	return public
}
