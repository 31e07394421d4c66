package oidc

import (
	"context"
	"time"

	"sallyport/internal/authn"
	"sallyport/internal/authn/jwt"
)

// forever is the end of tokens without one. The API server's word alone bounds
// how long they are good.
var forever = time.Date(9999, time.December, 31, 0, 0, 0, 0, time.UTC)

// legacy returns the steps of examining a token that is kept in a Secret.
func (r *Rules) legacy() []Check {
	return []Check{
		{"shape", authn.Malformed, r.legacyShape, nil},
		{"form", authn.Algorithm, r.form, shaped},
		{"identity", authn.Claims, r.legacyWho, shaped},
	}
}

func (r *Rules) legacyShape(_ context.Context, a *attempt) (err error) {
	if a.token, err = jwt.Decode(a.raw); err != nil {
		return err
	}
	if iss := a.token.Claims.Issuer; iss != jwt.LegacyIssuer {
		return authn.Refuse(authn.Issuer, "%q", clip(iss))
	}
	return nil
}

// legacyWho names the service account. Whether the token is for us is for the API
// server to say: it takes such a token for one with all of its own audiences.
func (r *Rules) legacyWho(_ context.Context, a *attempt) error {
	l, err := a.token.Claims.Legacy()
	if err != nil {
		return err
	}
	subject := l.ServiceAccountSubject()
	if subject == "" || l.Secret == "" || l.ServiceAccount.UID == "" || a.token.Claims.Subject != subject {
		return authn.Refuse(authn.Claims, "it does not name one service account and one Secret")
	}
	a.identity = authn.Identity{
		Subject: subject, UID: l.ServiceAccount.UID, Audiences: r.Audiences, Expires: forever,
		Token: authn.Token{Legacy: true},
	}
	return nil
}
