package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"sallyport/internal/minicluster"
)

// A provider is another OpenID Connect issuer. It issues whatever a test wants.
type provider struct {
	*minicluster.Cluster
	*minicluster.Server
}

func newProvider(t testing.TB) provider {
	t.Helper()
	c, err := minicluster.New(minicluster.Options{Keys: minicluster.SharedKeys(2, 1)})
	must(t, err)
	s, err := c.Serve()
	must(t, err)
	t.Cleanup(s.Stop)
	c.SetIssuers(s.URL())
	c.SetJWKSURI(s.URL() + "/openid/v1/jwks")
	c.Grant("system:unauthenticated", minicluster.Discover)
	return provider{c, s}
}

// config are the lines of the configuration file for the provider.
func (p provider) config() []string { return p.trusting(p.CAPEM()) }

// trusting are those with CAs of one's choice.
func (p provider) trusting(cas []byte) []string {
	lines := []string{
		"file:jwt:",
		"file:- issuer:",
		fmt.Sprintf("file:    url: %q", p.URL()),
		`file:    audiences: ["people"]`,
		"file:    certificateAuthority: |",
	}
	for l := range strings.Lines(string(cas)) {
		lines = append(lines, "file:      "+strings.TrimSpace(l))
	}
	return append(lines,
		"file:  claimMappings:",
		`file:    username: {claim: email, prefix: "idp:"}`,
		`file:    groups: {claim: groups, prefix: "idp:"}`)
}

func (p provider) token(t testing.TB, change map[string]any) string {
	t.Helper()
	now := time.Now().Unix()
	claims := map[string]any{
		"iss": p.URL(), "sub": "1", "aud": "people", "iat": now, "exp": now + 60,
		"email": "ann@example.test", "groups": []string{"staff"},
	}
	for k, v := range change {
		claims[k] = v
	}
	token, err := p.Sign(p.Header(), claims)
	must(t, err)
	return token
}

func TestOtherIssuer(t *testing.T) {
	t.Parallel()
	for _, mode := range modes {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			p := newProvider(t)
			w := start(t, append(p.config(), "--mode="+mode)...)
			w.eventually("able to check the provider's tokens", func() bool { return w.get(p.token(t, nil)).code == 200 })
			a := w.get(p.token(t, nil))
			if !strings.Contains(a.body, "idp:ann@example.test") || !strings.Contains(a.body, "idp:staff") {
				t.Errorf("the app saw %s", a.body)
			}
			for name, change := range map[string]map[string]any{
				"the cluster's audience":       {"aud": audience},
				"no email":                     {"email": ""},
				"an email that is not checked": {"email_verified": false},
				"a name with a line break":     {"email": "ann\r\nX-Remote-Group: system:masters"},
				"another issuer":               {"iss": p.URL() + "/"},
				"the cluster's issuer":         {"iss": minicluster.DefaultIssuer},
			} {
				if a := w.get(p.token(t, change)); a.code != 401 {
					t.Errorf("%s: %d, want 401", name, a.code)
				}
			}
			if n := p.Counts().WithCredential; n != 0 {
				t.Errorf("%d requests to the provider carried a credential", n)
			}
		})
	}
}

// An outage of one issuer is nobody else's.
func TestOtherIssuerDown(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	p.Stop()
	w := start(t, p.config()...)
	if a := w.get(p.token(t, nil)); a.code != 503 {
		t.Errorf("the keys were never fetched: %d, want 503", a.code)
	}
	w.want(200, w.token())
	must(t, p.Start())
	w.eventually("back", func() bool { return w.get(p.token(t, nil)).code == 200 })
}
