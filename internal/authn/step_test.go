package authn

import (
	"context"
	"errors"
	"reflect"
	"testing"
)

// Who listens hears what came of it; the decision is the same.
func TestStepsOfBoth(t *testing.T) {
	proven := Identity{Subject: "s", UID: "u", Audiences: []string{"a"}, Proof: &Proof{}}
	reviewed := Identity{Subject: "s", UID: "u", Audiences: []string{"a"}}
	other := Identity{Subject: "other", UID: "u", Audiences: []string{"a"}}
	away, no := Unavailable(ReviewFailed, "away"), Refuse(Expired, "no")
	for name, c := range map[string]struct {
		first, review error
		id            Identity
		verified      bool
		want          []Step
		end           error
	}{
		"good":            {nil, nil, reviewed, false, []Step{{Check: "review"}, {Check: "agreement"}}, nil},
		"refused here":    {no, nil, reviewed, false, []Step{{Check: "review", Skipped: true}}, no},
		"away":            {nil, away, Identity{}, false, []Step{{Check: "review", Err: away}}, away},
		"away, and so be": {nil, away, Identity{}, true, []Step{{Check: "review", Err: away}, {Check: "without a review", Note: "--when-unavailable=serve-verified"}}, nil},
		"somebody else":   {nil, nil, other, false, []Step{{Check: "review"}, {Check: "agreement", Err: Refuse(Mismatch, `the token says "s" (uid "u"), the API server "other" (uid "u")`)}}, ErrUnauthenticated},
	} {
		b := &Both{
			First: func(context.Context, string) (Identity, error) { return proven, c.first },
			Review: Func(func(context.Context, string) (Identity, error) {
				return c.id, c.review
			}),
			ServeVerified: c.verified, Mismatched: func(first, review Identity) {},
		}
		var got []Step
		_, err := b.Authenticate(WithSteps(t.Context(), func(s Step) { got = append(got, s) }), "t")
		if !reflect.DeepEqual(got, c.want) || !errors.Is(err, c.end) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		if _, plain := b.Authenticate(t.Context(), "t"); !errors.Is(plain, c.end) {
			t.Errorf("%s: %v, and explained %v", name, plain, err)
		}
	}
}

func TestStepsOfIssuers(t *testing.T) {
	yes := Func(func(context.Context, string) (Identity, error) { return Identity{Subject: "s"}, nil })
	i := &Issuers{
		Claimed: func(token string) (string, error) {
			if token == "" {
				return "", Refuse(Malformed, "")
			}
			return token, nil
		},
		Cluster: yes, Others: map[string]Authenticator{"x": yes},
	}
	for token, want := range map[string]Step{
		"":  {Check: "rules", Err: Refuse(Malformed, "")},
		"x": {Check: "rules", Note: "those of its issuer"},
		"y": {Check: "rules", Note: "the cluster's"},
	} {
		var got []Step
		i.Authenticate(WithSteps(t.Context(), func(s Step) { got = append(got, s) }), token)
		if !reflect.DeepEqual(got, []Step{want}) {
			t.Errorf("%q: %+v", token, got)
		}
	}
}

// Each reason that an Authenticator may have comes with a word of advice.
func TestAdvice(t *testing.T) {
	for _, r := range Reasons {
		switch r {
		case OK, Public, Headers, Body, UpstreamRefused, UpstreamTimeout, UpstreamBroken, ClientGone, Internal:
			if a := r.Advice(); a != "" {
				t.Errorf("%s: %q", r, a)
			}
		default:
			if r.Advice() == "" {
				t.Errorf("%s has none", r)
			}
		}
	}
}
