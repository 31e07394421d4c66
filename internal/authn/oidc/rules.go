package oidc

import (
	"context"
	"errors"
	"slices"
	"time"

	"sallyport/internal/authn"
	"sallyport/internal/authn/jwt"
)

// Rules are what an issuer's tokens must claim, and who they then are. Nothing
// in them is proof.
type Rules struct {
	// Issuers are the accepted iss, byte for byte.
	Issuers *Names
	// Unknown is asked about the iss of a token that is from none of them, if
	// the token could be good otherwise. Nil refuses, and a nil answer accepts
	// the iss.
	Unknown func(ctx context.Context, issuer string) error
	// Audiences are ours: the token must have been made for one of them. Empty
	// accepts nobody.
	Audiences []string
	// APIAudiences are the API server's. A token that carries one is refused
	// even if ours is in it too, as whoever receives it could replay it there;
	// unless that very string is one of Audiences. Nil refuses nothing.
	APIAudiences *Names
	// APIAudiencesKnown is the outage to answer with while nobody can say which
	// they are. Only a token for nobody but us needs no answer to that. Nil, or
	// a nil answer, means that APIAudiences is complete.
	APIAudiencesKnown func() error
	// Leeway is granted on exp, nbf and iat.
	Leeway time.Duration
	// Algorithms and Types are the accepted alg and typ; "" stands for an
	// absent typ.
	Algorithms []string
	Types      []string
	// Identity says who the claims name.
	Identity func(*jwt.Claims) (authn.Identity, error)
	// Lives is what else is asked of a token's life.
	Lives Lives
	// Legacy makes these the rules for service account tokens that are kept in
	// Secrets, and for no others. Such a token has no end and no audience, so
	// only a form can be asked of it: the API server has to decide.
	Legacy bool
}

// A Check is one step of examining a token. Serving and explaining run the same
// list, so that they cannot drift.
type Check struct {
	Name   string
	Reason authn.Reason
	Func   func(context.Context, *attempt) error
	// Needs are the checks without which this one makes no sense.
	Needs []string
}

// An attempt is one token on its way through the checks.
type attempt struct {
	raw      string
	token    *jwt.Token
	keys     []*key       // those that may have signed it
	proof    *authn.Proof // the one that did
	identity authn.Identity
	note     string // of a check that passed the token, and found something
}

// checks returns the steps before a key is looked for, in order. They need
// nobody's answer, unless Unknown asks for one.
func (r *Rules) checks() []Check {
	if r.Legacy {
		return r.legacy()
	}
	return append([]Check{
		{"shape", authn.Malformed, r.shape, nil},
		{"issuer", authn.Issuer, r.issuer, shaped},
	}, r.rest()...)
}

// shaped is what every check of claims needs.
var shaped = []string{"shape"}

// rest are the steps that are the same whatever the issuer.
func (r *Rules) rest() []Check {
	return []Check{
		{"form", authn.Algorithm, r.form, shaped},
		{"audience", authn.Audience, r.audience, shaped},
		{"api audience", authn.APIAudience, r.apiAudience, shaped},
		{"time", authn.Expired, r.time, shaped},
		{"identity", authn.Claims, r.who, shaped},
	}
}

// Claimed returns who a token says it belongs to, after every check that needs
// no key. Nothing is proven: it may refuse, or choose who decides, and
// never admits.
func (r *Rules) Claimed(ctx context.Context, token string) (authn.Identity, error) {
	a := &attempt{raw: token}
	err := run(ctx, append(r.checks(), r.lives()...), a)
	return a.identity, err
}

func run(ctx context.Context, checks []Check, a *attempt) error {
	if tell := authn.Steps(ctx); tell != nil {
		return runAll(ctx, checks, a, tell)
	}
	for _, c := range checks {
		if err := c.Func(ctx, a); err != nil {
			a.identity = authn.Identity{}
			return err
		}
	}
	return nil
}

// runAll is run for a decision that is to be explained: the first refusal is its
// end, and what follows is looked at all the same, as far as that makes sense.
func runAll(ctx context.Context, checks []Check, a *attempt, tell func(authn.Step)) (first error) {
	var failed []string
	for _, c := range checks {
		step := authn.Step{Check: c.Name}
		step.Skipped = slices.ContainsFunc(c.Needs, func(name string) bool { return slices.Contains(failed, name) })
		if !step.Skipped {
			step.Err = c.Func(ctx, a)
			step.Note, a.note = a.note, ""
		}
		if step.Skipped || step.Err != nil {
			failed = append(failed, c.Name)
		}
		if first == nil {
			first = step.Err
		}
		tell(step)
	}
	if first != nil {
		a.identity = authn.Identity{}
	}
	return first
}

func (r *Rules) shape(_ context.Context, a *attempt) (err error) {
	if a.token, err = jwt.Decode(a.raw); err != nil {
		return err
	}
	return a.token.Claims.Check()
}

// issuer asks about one that is not known only where the token is good in all
// that can be seen: what cannot succeed costs nobody anything.
func (r *Rules) issuer(ctx context.Context, a *attempt) error {
	iss := a.token.Claims.Issuer
	if r.Issuers.Has(iss) {
		return nil
	}
	refusal := authn.Refuse(authn.Issuer, "%q", clip(iss))
	if r.Unknown == nil {
		return refusal
	}
	err := run(authn.WithSteps(ctx, nil), r.rest(), &attempt{raw: a.raw, token: a.token})
	switch {
	case errors.Is(err, authn.ErrUnauthenticated):
		return refusal
	case err != nil:
		return err
	}
	return r.Unknown(ctx, iss)
}

func (r *Rules) form(_ context.Context, a *attempt) error {
	h := a.token.Header
	if !slices.Contains(r.Algorithms, h.Algorithm) {
		return authn.Refuse(authn.Algorithm, "this issuer does not sign with %s", h.Algorithm)
	}
	if !slices.Contains(r.Types, h.Type) {
		return authn.Refuse(authn.Type, "%q", clip(h.Type))
	}
	return nil
}

func (r *Rules) audience(_ context.Context, a *attempt) error {
	for _, ours := range r.Audiences {
		if slices.Contains(a.token.Claims.Audience, ours) {
			a.identity.Audiences = append(a.identity.Audiences, ours)
		}
	}
	if len(a.identity.Audiences) == 0 {
		return authn.Refuse(authn.Audience, "%q", clip(a.token.Claims.Audience...))
	}
	return nil
}

func (r *Rules) apiAudience(_ context.Context, a *attempt) error {
	if r.APIAudiences == nil {
		return nil
	}
	further := false
	for _, aud := range a.token.Claims.Audience {
		if slices.Contains(r.Audiences, aud) {
			continue
		}
		if r.APIAudiences.Has(aud) {
			return authn.Refuse(authn.APIAudience, "%q is an audience of the API server", aud)
		}
		further = true
	}
	if further && r.APIAudiencesKnown != nil {
		return r.APIAudiencesKnown()
	}
	return nil
}

func (r *Rules) time(_ context.Context, a *attempt) error {
	return a.token.Claims.CheckTimes(time.Now(), r.Leeway)
}

func (r *Rules) who(_ context.Context, a *attempt) error {
	id, err := r.Identity(&a.token.Claims)
	if err != nil {
		return err
	}
	id.Audiences = a.identity.Audiences
	id.Token = lifeOf(&a.token.Claims)
	id.Expires = r.Lives.end(&id.Token).Add(r.Leeway)
	a.identity = id
	return nil
}

// clip bounds what a caller can write into our log.
func clip(values ...string) string {
	const most = 200 // bytes; longer than any real issuer or audience
	s := ""
	for i, v := range values {
		if i > 0 {
			s += " "
		}
		if s += v; len(s) > most {
			return s[:most] + "..."
		}
	}
	return s
}
