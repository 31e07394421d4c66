package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"slices"
	"sync"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/pkg/op"

	"sallyport/e2e/provider"
)

// algorithm is what pkg/op names in its discovery document whatever the keys
// are.
const algorithm = jose.RS256

// A keyring has the provider's keys, in the order in which they were made. The
// last one signs, and all are published.
type keyring struct {
	mu   sync.Mutex
	keys []signingKey
}

// add makes a key, which signs from now on.
func (k *keyring) add() error {
	private, err := rsa.GenerateKey(rand.Reader, 2048) // the least that the gate takes
	if err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.keys = append(k.keys, signingKey{id: rand.Text(), private: private})
	return nil
}

// drop forgets all keys but the one that signs.
func (k *keyring) drop() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.keys = slices.Clone(k.keys[len(k.keys)-1:])
}

func (k *keyring) describe() (d provider.Keys) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, key := range k.keys {
		d.Published = append(d.Published, key.id)
		d.Signing = key.id
	}
	return d
}

// SigningKey implements op.AuthStorage, as the two below do.
func (k *keyring) SigningKey(context.Context) (op.SigningKey, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.keys[len(k.keys)-1], nil
}

func (k *keyring) SignatureAlgorithms(context.Context) ([]jose.SignatureAlgorithm, error) {
	return []jose.SignatureAlgorithm{algorithm}, nil
}

func (k *keyring) KeySet(context.Context) (published []op.Key, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, key := range k.keys {
		published = append(published, publicKey{key})
	}
	return published, nil
}

type signingKey struct {
	id      string
	private *rsa.PrivateKey
}

func (s signingKey) ID() string                                  { return s.id }
func (s signingKey) Key() any                                    { return s.private }
func (s signingKey) SignatureAlgorithm() jose.SignatureAlgorithm { return algorithm }

type publicKey struct{ key signingKey }

func (p publicKey) ID() string                         { return p.key.id }
func (p publicKey) Key() any                           { return p.key.private.Public() }
func (p publicKey) Algorithm() jose.SignatureAlgorithm { return algorithm }
func (p publicKey) Use() string                        { return "sig" }
