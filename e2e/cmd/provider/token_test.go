package main

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"sallyport/e2e/provider"
)

func TestToken(t *testing.T) {
	p := start(t)
	token, err := p.verify(t, p.token(t, mara))
	if err != nil {
		t.Fatal(err)
	}
	var claims struct {
		Name   string
		Groups []string
	}
	if err := token.Claims(&claims); err != nil {
		t.Fatal(err)
	}
	if token.Subject != mara.Subject || claims.Name != mara.Name ||
		!slices.Equal(token.Audience, mara.Audience) || !slices.Equal(claims.Groups, mara.Groups) {
		t.Errorf("%+v, %+v", token, claims)
	}
	if left := time.Until(token.Expiry); left > mara.Life || left < mara.Life-time.Minute {
		t.Errorf("expires in %v", left)
	}
}

// A person without groups has no such claim, rather than an empty one.
func TestNoGroups(t *testing.T) {
	p := start(t)
	token, err := p.verify(t, p.token(t, provider.Person{Subject: "noor", Audience: []string{audience}, Life: time.Hour}))
	if err != nil {
		t.Fatal(err)
	}
	claims := map[string]any{}
	if err := token.Claims(&claims); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"groups", "name"} {
		if v, ok := claims[name]; ok {
			t.Errorf("%s: %v", name, v)
		}
	}
}

func TestOverToken(t *testing.T) {
	p := start(t)
	over := mara
	over.Life = -time.Minute
	if _, err := p.verify(t, p.token(t, over)); err == nil || !strings.Contains(err.Error(), "expired") {
		t.Error(err)
	}
}

// Only the control has clients.
func TestStrangers(t *testing.T) {
	p := start(t)
	resp, err := p.client.PostForm(issuerName+"/oauth/token", url.Values{
		"grant_type": {"client_credentials"}, "client_id": {"mara"}, "client_secret": {"guessed"}})
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusUnauthorized {
		t.Error(resp.Status)
	}
}

func TestSecret(t *testing.T) {
	s, err := newStorage()
	if err != nil {
		t.Fatal(err)
	}
	c := s.register(mara)
	if _, err := s.ClientCredentials(t.Context(), c.id, c.secret); err != nil {
		t.Error(err)
	}
	if _, err := s.ClientCredentials(t.Context(), c.id, c.secret+"x"); err == nil {
		t.Error("another secret is as good")
	}
	s.forget(c)
	if _, err := s.ClientCredentials(t.Context(), c.id, c.secret); err == nil {
		t.Error("a client is remembered")
	}
}

func TestKeys(t *testing.T) {
	p := start(t)
	before := p.token(t, mara)
	var two, one provider.Keys
	p.order(t, http.MethodPost, "/keys", nil, &two)
	after := p.token(t, mara)
	if len(two.Published) != 2 || two.Signing != two.Published[1] {
		t.Errorf("with a second key: %+v", two)
	}
	for name, token := range map[string]string{"old": before, "new": after} {
		if _, err := p.verify(t, token); err != nil {
			t.Errorf("while both are published, the %s one: %v", name, err)
		}
	}
	p.order(t, http.MethodDelete, "/keys", nil, &one)
	if !slices.Equal(one.Published, []string{two.Signing}) || one.Signing != two.Signing {
		t.Errorf("after the first was dropped: %+v", one)
	}
	if _, err := p.verify(t, before); err == nil {
		t.Error("a dropped key is published")
	}
	if _, err := p.verify(t, after); err != nil {
		t.Error(err)
	}
}
