package scenarios

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"sallyport/e2e/caller"
	"sallyport/e2e/provider"
	"sallyport/internal/authn"
)

// Given an OpenID provider under jwt:, and a gate in each mode,
// when people's tokens come, good ones and others,
// then the app sees whom the mapping names, names that are the cluster's to give
// are refused, and our own token has not been sent to the provider.
func TestPeople(t *testing.T) {
	t.Parallel()
	p, c := newProvider(t), newCaller(t)
	t.Run("modes", func(t *testing.T) {
		for _, tt := range []struct{ mode, prefix string }{{"hybrid", ""}, {"oidc", "people:"}, {"tokenreview", ""}} {
			t.Run(tt.mode, func(t *testing.T) {
				t.Parallel()
				g := deployFor(t, p, c, tt.prefix, "--mode="+tt.mode)
				a := c.call(t, caller.Request{URL: g.service + "/people", Token: p.token(t, mara())})
				sawMara(t, a, tt.prefix)
				refusesPeople(t, g, c, p, tt.prefix)
				if a := c.call(t, caller.Request{URL: g.service + "/", TokenFile: ownToken}); a.Status != http.StatusOK {
					t.Errorf("the cluster's own caller: %v", a)
				}
			})
		}
	})
	p.sawNoCredential(t)
}

// sawMara checks what the app saw of her.
func sawMara(t *testing.T, a caller.Answer, prefix string) {
	t.Helper()
	if a.Status != http.StatusOK {
		t.Errorf("answer: %v", a)
		return
	}
	var saw struct {
		Authorization bool
		Identity      http.Header
	}
	if err := json.Unmarshal(a.Body, &saw); err != nil {
		t.Fatalf("the app's answer: %v: %s", err, a.Body)
	}
	if saw.Authorization {
		t.Error("the app saw the token")
	}
	for name, want := range map[string][]string{
		"X-Remote-User":  {prefix + "mara"},
		"X-Remote-Uid":   {"mara"},
		"X-Remote-Group": {prefix + "staff", prefix + "night shift"},
	} {
		if got := header(saw.Identity, name); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// refusesPeople tries tokens of the provider's that must not open the gate.
func refusesPeople(t *testing.T, g *gate, c *callingPod, p *peoplePod, prefix string) {
	t.Helper()
	reserved := "system:masters"
	if prefix != "" {
		reserved = "staff, " + reserved // an app may take it for two
	}
	for _, tt := range []struct {
		name   string
		change func(*provider.Person)
		reason authn.Reason
	}{
		{"group", func(p *provider.Person) { p.Groups = append(p.Groups, reserved) }, authn.Claims},
		{"name", func(p *provider.Person) { p.Subject = reserved }, authn.Claims},
		{"another-audience", func(p *provider.Person) { p.Audience = []string{gateAudience} }, authn.Audience},
		{"the-api-server's", func(p *provider.Person) { p.Audience = append(p.Audience, clusterIssuer(t)) }, authn.APIAudience},
		{"expired", func(p *provider.Person) { p.Life = -time.Hour }, authn.Expired},
	} {
		person := mara()
		tt.change(&person)
		g.turnsDown(t, c, p.token(t, person), tt.name, tt.reason)
	}
}

// turnsDown expects 401 for this reason. The name is the path's, for once.
func (g *gate) turnsDown(t *testing.T, c *callingPod, token, name string, reason authn.Reason) {
	t.Helper()
	path := "/refused/" + name
	a := c.call(t, caller.Request{URL: g.service + path, Token: token})
	if a.Status != http.StatusUnauthorized || !strings.HasPrefix(a.Header.Get("WWW-Authenticate"), "Bearer ") {
		t.Errorf("%s: %v, want 401 and a challenge", name, a)
	}
	g.tells(t, path, reason)
}
