package oidc

import (
	"context"
	"fmt"
	"time"

	"sallyport/internal/authn"
	"sallyport/internal/authn/jwt"
)

// Lives are what is asked of a token's life beside that it has not ended. The
// zero Lives asks for nothing.
type Lives struct {
	// RefuseStale refuses tokens that the API server extended to a year, from
	// the moment at which they should have been replaced.
	RefuseStale bool
	// Longest is the longest time from iat to exp; zero means any. What counts of
	// an extended token is the life that was asked for: until it is stale.
	Longest time.Duration
}

// lifeOf returns what the claims say of the token's life.
func lifeOf(c *jwt.Claims) authn.Token {
	return authn.Token{ID: c.ID, Issued: c.IssuedAt, Expires: c.Expires, WarnAfter: c.WarnAfter()}
}

// end is when the token ends for us, before any leeway.
func (l *Lives) end(t *authn.Token) time.Time {
	if l.RefuseStale && !t.WarnAfter.IsZero() && t.WarnAfter.Before(t.Expires) {
		return t.WarnAfter
	}
	return t.Expires
}

// lives returns the checks of a token's life. They follow those of who it is.
func (r *Rules) lives() []Check {
	if r.Legacy {
		return nil
	}
	who := []string{"identity"}
	return []Check{
		{"stale", authn.Stale, r.stale, who},
		{"lifetime", authn.Lifetime, r.lifetime, who},
	}
}

func (r *Rules) stale(_ context.Context, a *attempt) error {
	t := &a.identity.Token
	now := time.Now()
	if !t.Stale(now.Add(-r.Leeway)) {
		return nil
	}
	late := now.Sub(t.WarnAfter).Round(time.Second)
	if r.Lives.RefuseStale {
		return a.refuse(authn.Stale, "it should have been replaced %s ago", late)
	}
	a.note = fmt.Sprintf("no: it should have been replaced %s ago, and --stale-tokens lets it pass", late)
	return nil
}

func (r *Rules) lifetime(_ context.Context, a *attempt) error {
	t := &a.identity.Token
	if r.Lives.Longest == 0 {
		return nil
	}
	if t.Issued.IsZero() {
		return a.refuse(authn.Lifetime, "it does not say when it was issued")
	}
	end := t.Expires
	if !t.WarnAfter.IsZero() && t.WarnAfter.Before(end) {
		end = t.WarnAfter
	}
	if life := end.Sub(t.Issued); life > r.Lives.Longest {
		return a.refuse(authn.Lifetime, "it is good for %s", life)
	}
	return nil
}

// refuse says whose token it is, where that has been proven.
func (a *attempt) refuse(r authn.Reason, format string, args ...any) error {
	e := authn.Refuse(r, format, args...)
	if a.proof != nil {
		e.Subject = a.identity.Subject
	}
	return e
}
