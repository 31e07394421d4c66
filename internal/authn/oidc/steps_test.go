package oidc

import (
	"context"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"sallyport/internal/authn"
)

// explained authenticates a token with somebody listening, who must hear of each
// check once.
func explained(t testing.TB, v *Verifier, token string) error {
	t.Helper()
	told := map[string]bool{}
	_, err := v.Authenticate(authn.WithSteps(t.Context(), func(s authn.Step) {
		if told[s.Check] || s.Skipped && s.Err != nil {
			t.Errorf("told twice, or skipped with an error: %+v", s)
		}
		told[s.Check] = true
	}), token)
	if len(told) != len(v.checks) {
		t.Errorf("told of %v", told)
	}
	return err
}

// steps is what is told of a token, in one line: check, then what came of it.
func steps(ctx context.Context, ask func(context.Context, string) (authn.Identity, error), token string) (line string, id authn.Identity, err error) {
	var all []string
	id, err = ask(authn.WithSteps(ctx, func(s authn.Step) {
		switch {
		case s.Skipped:
			all = append(all, "("+s.Check+")")
		case s.Err != nil:
			all = append(all, s.Check+":"+string(authn.ReasonOf(s.Err)))
		default:
			all = append(all, s.Check)
		}
	}), token)
	return strings.Join(all, " "), id, err
}

func TestSteps(t *testing.T) {
	v := NewVerifier(clusterRules(), clusterKeySet(t))
	learning := clusterRules()
	learning.Unknown = func(_ context.Context, iss string) error { return nil }
	learner := NewVerifier(learning, clusterKeySet(t))
	c := serviceAccountClaims
	good := es256(nil, c(nil))
	h, p, s := parts(good)
	for name, tc := range map[string]struct {
		v           *Verifier
		token, want string
		end         authn.Reason
	}{
		"good":           {v, good, "shape issuer form audience api audience time identity key signature stale lifetime", ""},
		"no token":       {v, "x", "shape:malformed (issuer) (form) (audience) (api audience) (time) (identity) (key) (signature) (stale) (lifetime)", authn.Malformed},
		"forged":         {v, h + "." + p + "." + flip(s), "shape issuer form audience api audience time identity key signature:signature stale lifetime", authn.Signature},
		"another issuer": {v, es256(nil, c(map[string]any{"iss": "https://x"})), "shape issuer:issuer form audience api audience time identity (key) (signature) stale lifetime", authn.Issuer},
		"learnt":         {learner, es256(nil, c(map[string]any{"iss": "https://x"})), "shape issuer form audience api audience time identity key signature stale lifetime", ""},
		"two mistakes":   {v, es256(nil, c(map[string]any{"aud": "x", "exp": time.Now().Add(-time.Hour).Unix()})), "shape issuer form audience:audience api audience time:expired identity key signature stale lifetime", authn.Audience},
		"nobody":         {v, es256(nil, c(map[string]any{"kubernetes.io": nil})), "shape issuer form audience api audience time identity:claims key signature (stale) (lifetime)", authn.Claims},
		"unknown key":    {v, es256(map[string]any{"kid": "x"}, c(nil)), "shape issuer form audience api audience time identity key:unknown_key (signature) stale lifetime", authn.UnknownKey},
	} {
		line, id, err := steps(t.Context(), tc.v.Authenticate, tc.token)
		if line != tc.want {
			t.Errorf("%s:\n%s, want\n%s", name, line, tc.want)
		}
		want(t, name, err, tc.end)
		plain, err := tc.v.Authenticate(t.Context(), tc.token)
		want(t, name+", plain", err, tc.end)
		if id.Subject != plain.Subject || (err != nil) != (id.Subject == "") {
			t.Errorf("%s: %q and %q", name, id.Subject, plain.Subject)
		}
	}
}

func TestFetchOnce(t *testing.T) {
	p := &publisher{}
	p.publish(jwk(p256(), "p256", nil))
	s := NewKeySet(issuer, p.fetch, usual, zap.NewNop(), nil)
	if err := s.Fetch(t.Context()); err != nil || s.Err() != nil {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	hang := NewKeySet(issuer, func(ctx context.Context) (Document, error) { <-ctx.Done(); return Document{}, ctx.Err() }, usual, zap.NewNop(), nil)
	if err := hang.Fetch(ctx); err != context.Canceled {
		t.Errorf("%v", err)
	}
}
