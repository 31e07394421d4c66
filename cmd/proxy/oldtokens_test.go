package main

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"sallyport/internal/minicluster"
)

// apiAudience lets the API server's own tokens in.
var apiAudience = []string{"--audience=" + minicluster.DefaultIssuer, "--api-audience=" + minicluster.DefaultIssuer}

// extended returns a token that was made age ago as the API server makes those of
// pods: for an hour, extended to a year.
func (w *world) extended(age time.Duration) string {
	w.t.Helper()
	token, err := w.cluster.Token(minicluster.Request{Namespace: "ns", ServiceAccount: "caller", Pod: "caller-0", TTL: 3607 * time.Second})
	must(w.t, err)
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	must(w.t, err)
	var claims map[string]any
	must(w.t, json.Unmarshal(payload, &claims))
	earlier := func(m map[string]any, names ...string) {
		for _, name := range names {
			m[name] = int64(m[name].(float64)) - int64(age.Seconds())
		}
	}
	earlier(claims, "iat", "nbf", "exp")
	earlier(claims["kubernetes.io"].(map[string]any), "warnafter")
	token, err = w.cluster.Sign(nil, claims)
	must(w.t, err)
	return token
}

func TestStaleTokens(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		policy  string
		age     time.Duration
		code    int
		warning string
	}{
		{"allow", 2 * time.Hour, 200, ""},
		{"warn", 2 * time.Hour, 200, "read the token file again"},
		{"warn", 0, 200, ""},
		{"refuse", 2 * time.Hour, 401, ""},
		{"refuse", 0, 200, ""},
	} {
		for _, mode := range []string{"hybrid", "oidc", "tokenreview"} {
			w := start(t, append(apiAudience, "--stale-tokens="+tc.policy, "--mode="+mode)...)
			token := w.extended(tc.age)
			for range 2 { // new, and remembered
				w.wantWarning(tc.policy+", "+mode, w.get(token), tc.code, tc.warning, "stale")
			}
		}
	}
}

func (w *world) wantWarning(what string, a answer, code int, warning, reason string) {
	w.t.Helper()
	if a.code != code {
		w.t.Errorf("%s: %d, want %d\n%s", what, a.code, code, w.log.tail())
	}
	for _, name := range []string{"Warning", "Sallyport-Warning"} {
		if got := a.header.Get(name); (got != "") != (warning != "") || !strings.Contains(got, warning) {
			w.t.Errorf("%s: %s: %q, want %q", what, name, got, warning)
		}
	}
	if code == 401 && !strings.Contains(w.log.String(), `"reason":"`+reason+`"`) {
		w.t.Errorf("%s: no line with the reason %s\n%s", what, reason, w.log.tail())
	}
}

func TestLegacyTokens(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		policy, mode string
		code         int
		warning      string
	}{
		{"allow", "hybrid", 200, ""},
		{"allow", "tokenreview", 200, ""},
		{"warn", "hybrid", 200, "use a projected token"},
		{"warn", "tokenreview", 200, "use a projected token"},
		{"refuse", "hybrid", 401, ""},
		{"refuse", "tokenreview", 401, ""},
	} {
		w := start(t, append(apiAudience, "--legacy-tokens="+tc.policy, "--mode="+tc.mode, "--recheck=1s")...)
		token, err := w.cluster.CreateSecretToken("ns", "old", "caller")
		must(t, err)
		what := tc.policy + ", " + tc.mode
		a := w.get(token)
		w.wantWarning(what, a, tc.code, tc.warning, "legacy")
		if tc.code != 200 {
			continue
		}
		if !strings.Contains(a.body, "system:serviceaccount:ns:caller") {
			t.Errorf("%s: the app saw %s", what, a.body)
		}
		reviews := w.cluster.Counts().Reviews
		if code := w.get(token[:len(token)-8] + "AAAAAAAA").code; code != 401 {
			t.Errorf("%s: forged: %d", what, code)
		}
		if n := w.cluster.Counts().Reviews - reviews; tc.mode == "hybrid" && n != 0 {
			t.Errorf("%s: a forged token cost the API server %d reviews", what, n)
		}
		w.cluster.DeleteSecret("ns", "old", 0)
		w.eventually("refused", func() bool { return w.get(token).code == 401 })
	}
}

// Without the API server's word no Secret's token is let in, whatever is served
// while it is away.
func TestLegacyTokensUnavailable(t *testing.T) {
	t.Parallel()
	w := start(t, append(apiAudience, "--legacy-tokens=allow", "--when-unavailable=serve-verified")...)
	token, err := w.cluster.CreateSecretToken("ns", "old", "caller")
	must(t, err)
	w.server.Stop()
	w.want(503, token)
}

func TestTokenLifetime(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		flag string
		life time.Duration
		code int
	}{
		{"--max-token-lifetime=24h", 24 * time.Hour, 200},
		{"--max-token-lifetime=24h", 25 * time.Hour, 401},
		{"--max-token-lifetime=0s", 365 * 24 * time.Hour, 200},
		{"--max-token-lifetime=5m", time.Hour, 401},
	} {
		w := start(t, tc.flag)
		token, err := w.cluster.Token(minicluster.Request{Namespace: "ns", ServiceAccount: "caller", Pod: "caller-0", Audiences: []string{audience}, TTL: tc.life})
		must(t, err)
		w.wantWarning(tc.flag, w.get(token), tc.code, "", "lifetime")
	}
}
