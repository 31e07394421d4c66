// Package oidc proves an issuer's tokens: discovery, keys and their life,
// signature, audience, time, and who the claims name.
//
// It knows a cluster's issuers, which share the API server's keys, and other
// OpenID Connect providers, each with keys of its own.
package oidc

import (
	"context"
	"crypto"
	"time"

	gooidc "github.com/coreos/go-oidc/v3/oidc"

	"sallyport/internal/authn"
)

const (
	// long is how long a stranger's token is, in bytes, to read which takes a processor
	// long enough for others to wait for it, and pause is for them, before its signature
	// is looked at. Its place among those who are examined is held meanwhile: with one
	// place that is 700 such tokens a second.
	long  = 8 << 10
	pause = time.Millisecond
)

// A Verifier proves tokens by their signature. It is an [authn.Authenticator].
type Verifier struct {
	keys   *KeySet
	checks []Check
}

// NewVerifier returns the verifier of the issuers that rules name. They share
// the one key set: a key never signs for anybody else.
func NewVerifier(rules *Rules, keys *KeySet) *Verifier {
	v := &Verifier{keys: keys}
	v.checks = append(rules.checks(),
		// The keys are those of the issuers that are known, and of nobody else.
		Check{"key", authn.UnknownKey, v.find, []string{"shape", "issuer", "form"}},
		Check{"signature", authn.Signature, v.signature, []string{"key"}},
	)
	// Last, as the operator wants to know whose tokens those are.
	v.checks = append(v.checks, rules.lives()...)
	return v
}

// Authenticate implements [authn.Authenticator]. The cheap checks come first,
// so that a token which cannot succeed causes no fetch.
func (v *Verifier) Authenticate(ctx context.Context, token string) (authn.Identity, error) {
	a := &attempt{raw: token}
	if err := run(ctx, v.checks, a); err != nil {
		return authn.Identity{}, err
	}
	a.identity.Proof = a.proof
	return a.identity, nil
}

func (v *Verifier) find(ctx context.Context, a *attempt) (err error) {
	a.keys, err = v.keys.find(ctx, a.token.Header.KeyID, a.token.Header.Algorithm)
	return err
}

// signature has go-oidc check the signature against the key that was found: with
// all keys at hand it would fetch again for each token that fails, and say in
// text alone whether the token or the fetch was at fault (go-oidc v3.21,
// jwks.go; TestGoOIDC fails if what we rely on changes). All else that is checked of
// a token is ours, the algorithm too, which was among those that the key is for: what
// go-oidc would check beside the signature takes longer than that.
func (v *Verifier) signature(ctx context.Context, a *attempt) error {
	if len(a.raw) > long && !authn.CallerOf(ctx).Known {
		time.Sleep(pause)
	}
	for _, k := range a.keys {
		if verify(ctx, a, k) == nil {
			a.proof = k.proof
			return nil
		}
	}
	// Not go-oidc's text, which may quote what it could not read.
	return authn.Refuse(authn.Signature, "it does not verify under key %q", a.token.Header.KeyID)
}

func verify(ctx context.Context, a *attempt, k *key) error {
	only := gooidc.StaticKeySet{PublicKeys: []crypto.PublicKey{k.Key}}
	_, err := only.VerifySignature(ctx, a.raw)
	return err
}
