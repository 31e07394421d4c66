package oidc

import (
	"context"

	"sallyport/internal/authn"
	"sallyport/internal/authn/jwt"
)

// Verify reports whether one of the document's keys signed the token, and which.
// It looks at the signature alone: not at whose the keys are, nor at any claim.
// The error is a refusal, or says that the document has no key that can be used.
func (d Document) Verify(ctx context.Context, token string) (keyID string, err error) {
	a := &attempt{raw: token}
	if a.token, err = jwt.Decode(token); err != nil {
		return "", err
	}
	s := &KeySet{issuer: a.token.Claims.Issuer}
	if s.keys, err = parseKeys(s.issuer, d.Keys); err != nil {
		return "", authn.Unavailable(authn.KeysUnavailable, "%v", err)
	}
	v := &Verifier{keys: s}
	if a.keys = s.lookup(a.token.Header.KeyID, a.token.Header.Algorithm); len(a.keys) == 0 {
		return "", authn.Refuse(authn.UnknownKey, "key %q is not among the %d published", a.token.Header.KeyID, len(s.keys))
	}
	if err := v.signature(ctx, a); err != nil {
		return "", err
	}
	return a.proof.KeyID, nil
}
