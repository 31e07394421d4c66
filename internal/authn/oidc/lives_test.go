package oidc

import (
	"errors"
	"testing"
	"time"

	"sallyport/internal/authn"
)

// extended are the claims of a token that was made age ago for an hour and
// extended to a year.
func extended(age time.Duration) map[string]any {
	iat := time.Now().Add(-age).Unix()
	return serviceAccountClaims(map[string]any{
		"iat": iat, "nbf": iat, "exp": iat + 365*24*3600,
		"kubernetes.io": map[string]any{
			"namespace": "ns", "serviceaccount": map[string]any{"name": "app", "uid": "u1"}, "warnafter": iat + 3607,
		},
	})
}

func lasting(life time.Duration, change map[string]any) map[string]any {
	c := serviceAccountClaims(change)
	c["exp"] = time.Now().Add(life).Unix()
	return c
}

func TestLives(t *testing.T) {
	const day = 24 * time.Hour
	keys := clusterKeySet(t)
	refuse, allow := Lives{RefuseStale: true}, Lives{}
	for _, tc := range []struct {
		name   string
		lives  Lives
		claims map[string]any
		want   authn.Reason
	}{
		{"stale, and nobody minds", allow, extended(2 * time.Hour), ""},
		{"stale", refuse, extended(2 * time.Hour), authn.Stale},
		{"not yet stale", refuse, extended(time.Hour), ""},
		{"stale within the leeway", refuse, extended(3640 * time.Second), ""},
		{"never stale", refuse, serviceAccountClaims(nil), ""},
		{"a day", Lives{Longest: day}, lasting(day, nil), ""},
		{"a second more than a day", Lives{Longest: day}, lasting(day+time.Second, nil), authn.Lifetime},
		{"a year, and nobody minds", allow, lasting(365*day, nil), ""},
		{"no iat, and nobody minds", allow, lasting(day, map[string]any{"iat": nil}), ""},
		{"no iat", Lives{Longest: day}, lasting(time.Hour, map[string]any{"iat": nil}), authn.Lifetime},
		{"an hour, extended to a year", Lives{Longest: day}, extended(0), ""},
		{"stale, and not refused for its year", Lives{Longest: day}, extended(2 * time.Hour), ""},
		{"extended, of a longer life than allowed", Lives{Longest: time.Hour}, extended(0), authn.Lifetime},
	} {
		rules := clusterRules()
		rules.Lives = tc.lives
		token := es256(nil, tc.claims)
		_, err := NewVerifier(rules, keys).Authenticate(t.Context(), token)
		want(t, tc.name, err, tc.want)
		_, claimed := rules.Claimed(t.Context(), token)
		want(t, tc.name+", unverified", claimed, tc.want)
		if tc.want != "" {
			wantSubject(t, tc.name, err, "system:serviceaccount:ns:app")
			wantSubject(t, tc.name+", unverified", claimed, "")
		}
		// Whose token it is counts for nothing before it is proven.
		_, err = NewVerifier(rules, keys).Authenticate(t.Context(), sign("ES256", otherP256(), map[string]any{"kid": "p256"}, tc.claims))
		want(t, tc.name+", forged", err, authn.Signature)
		wantSubject(t, tc.name+", forged", err, "")
	}
}

func wantSubject(t *testing.T, what string, err error, subject string) {
	t.Helper()
	var e *authn.Error
	if !errors.As(err, &e) || e.Subject != subject {
		t.Errorf("%s: %+v, want the subject %q", what, e, subject)
	}
}

// A token that is refused once it is stale is remembered until then, and not for
// a year.
func TestStaleEnds(t *testing.T) {
	rules := clusterRules()
	claims := extended(0)
	warn := claims["kubernetes.io"].(map[string]any)["warnafter"].(int64)
	for _, tc := range []struct {
		lives Lives
		end   int64
	}{{Lives{}, claims["exp"].(int64)}, {Lives{RefuseStale: true}, warn}} {
		rules.Lives = tc.lives
		id, err := NewVerifier(rules, clusterKeySet(t)).Authenticate(t.Context(), es256(nil, claims))
		if end := time.Unix(tc.end, 0).Add(rules.Leeway); err != nil || !id.Expires.Equal(end) {
			t.Errorf("%+v: ends %v, %v, want %v", tc.lives, id.Expires, err, end)
		}
		if k := id.Token; k.ID != "id-1" || k.Expires.Unix() != claims["exp"] || k.WarnAfter.Unix() != warn || k.Issued.Unix() != claims["iat"] || k.Legacy {
			t.Errorf("the token's life: %+v", k)
		}
	}
}

func legacyClaims(change map[string]any) map[string]any {
	const prefix = "kubernetes.io/serviceaccount/"
	c := map[string]any{
		"iss": "kubernetes/serviceaccount", "sub": "system:serviceaccount:ns:app",
		prefix + "namespace": "ns", prefix + "secret.name": "old",
		prefix + "service-account.name": "app", prefix + "service-account.uid": "u1",
	}
	for k, v := range change {
		c[k] = v
		if v == nil {
			delete(c, k)
		}
	}
	return c
}

func TestLegacyRules(t *testing.T) {
	const prefix = "kubernetes.io/serviceaccount/"
	rules := &Rules{Legacy: true, Audiences: []string{ours}, Algorithms: ClusterAlgorithms, Types: ClusterTypes, Lives: Lives{Longest: time.Hour}}
	for name, tc := range map[string]struct {
		change map[string]any
		want   authn.Reason
	}{
		"good":                 {nil, ""},
		"another issuer":       {map[string]any{"iss": issuer}, authn.Issuer},
		"another subject":      {map[string]any{"sub": "system:serviceaccount:ns:admin"}, authn.Claims},
		"another namespace":    {map[string]any{prefix + "namespace": "kube-system"}, authn.Claims},
		"no namespace":         {map[string]any{prefix + "namespace": nil}, authn.Claims},
		"no Secret":            {map[string]any{prefix + "secret.name": nil}, authn.Claims},
		"no uid":               {map[string]any{prefix + "service-account.uid": nil}, authn.Claims},
		"no account":           {map[string]any{prefix + "service-account.name": ""}, authn.Claims},
		"a uid that is a list": {map[string]any{prefix + "service-account.uid": []string{"u1"}}, authn.Claims},
	} {
		token := es256(nil, legacyClaims(tc.change))
		id, err := rules.Claimed(t.Context(), token)
		want(t, name, err, tc.want)
		if err == nil && (id.Subject != "system:serviceaccount:ns:app" || id.UID != "u1" || !id.Token.Legacy || id.Expires.Year() < 9999) {
			t.Errorf("%s: %+v", name, id)
		}
		_, err = NewVerifier(rules, clusterKeySet(t)).Authenticate(t.Context(), token)
		want(t, name+", proven", err, tc.want)
	}
	forged := sign("ES256", otherP256(), map[string]any{"kid": "p256"}, legacyClaims(nil))
	_, err := NewVerifier(rules, clusterKeySet(t)).Authenticate(t.Context(), forged)
	want(t, "forged", err, authn.Signature)
}
