package minicluster

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	wellKnown = "/.well-known/openid-configuration"
	keySet    = "/openid/v1/jwks"
	tokens    = "/api/v1/namespaces/shop/serviceaccounts/web/token"
)

// kubernetes-tokens 6.1.
func TestDiscovery(t *testing.T) {
	c := start(t, Options{Issuers: []string{"https://one", "https://two"}})
	var doc map[string]any
	r := c.do(t, request(t, "GET", wellKnown, c.gateToken(t), nil), &doc)
	if r.StatusCode != 200 || r.Header.Get("Content-Type") != "application/json" || r.Header.Get("Cache-Control") != "public, max-age=3600" {
		t.Errorf("%d %v", r.StatusCode, r.Header)
	}
	if r.Header.Get("ETag") != "" || len(doc) != 5 || doc["issuer"] != "https://one" || doc["jwks_uri"] != unreachable {
		t.Errorf("document = %v", doc)
	}
	c.SetJWKSURI("https://here/keys")
	c.SetKeysMaxAge(0)
	r = c.do(t, request(t, "GET", keySet, c.gateToken(t), nil), &struct{}{})
	if r.Header.Get("Content-Type") != "application/jwk-set+json" || r.Header.Get("Cache-Control") != "public, max-age=0" {
		t.Errorf("keys: %v", r.Header)
	}
	c.do(t, request(t, "GET", wellKnown, c.gateToken(t), nil), &doc)
	if doc["jwks_uri"] != "https://here/keys" {
		t.Errorf("jwks_uri = %v", doc["jwks_uri"])
	}
}

// kubernetes-tokens 4.5 and 6.1: who may do what.
func TestRights(t *testing.T) {
	c := start(t, Options{})
	plain := c.mustToken(t, Request{Namespace: "shop", ServiceAccount: "web"})
	review := authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: "x"}}
	const none, bad = "", "a.b.c"
	for _, tt := range []struct {
		name, method, path, token string
		code                      int
		reason                    metav1.StatusReason
	}{
		{"review: nobody", "POST", reviews, none, 403, metav1.StatusReasonForbidden},
		{"review: bad token", "POST", reviews, bad, 401, metav1.StatusReasonUnauthorized},
		{"review: our audience", "POST", reviews, c.mustToken(t, web), 401, metav1.StatusReasonUnauthorized},
		{"review: no right", "POST", reviews, plain, 403, metav1.StatusReasonForbidden},
		{"keys: nobody", "GET", keySet, none, 403, metav1.StatusReasonForbidden},
		{"keys: bad token", "GET", keySet, bad, 401, metav1.StatusReasonUnauthorized},
		{"keys: our audience", "GET", keySet, c.mustToken(t, web), 401, metav1.StatusReasonUnauthorized},
		{"document: nobody", "GET", wellKnown, none, 403, metav1.StatusReasonForbidden},
		{"document: bad token", "GET", wellKnown, bad, 401, metav1.StatusReasonUnauthorized},
		{"token: no right", "POST", tokens, plain, 403, metav1.StatusReasonForbidden},
		{"token: bad token", "POST", tokens, bad, 401, metav1.StatusReasonUnauthorized},
		{"another path", "GET", "/api/v1/pods", plain, 404, metav1.StatusReasonNotFound},
		{"review in a namespace", "POST", "/apis/authentication.k8s.io/v1/namespaces/x/tokenreviews", plain, 404, metav1.StatusReasonNotFound},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := post(t, tt.path, tt.token, review)
			r.Method = tt.method
			c.wantStatus(t, r, tt.code, tt.reason)
		})
	}
	if r := c.do(t, request(t, "GET", keySet, plain, nil), &struct{}{}); r.StatusCode != 200 {
		t.Errorf("keys for a service account: %d", r.StatusCode)
	}
	c.Revoke("system:serviceaccounts", Discover)
	c.wantStatus(t, request(t, "GET", keySet, plain, nil), 403, metav1.StatusReasonForbidden)
	c.Revoke(gate, Review)
	c.wantStatus(t, post(t, reviews, c.gateToken(t), review), 403, metav1.StatusReasonForbidden)
}

// kubernetes-tokens 4.2 and 4.5: what is wrong with the request itself.
func TestBadRequests(t *testing.T) {
	c := start(t, Options{})
	c.Grant(gate, Issue)
	token := c.gateToken(t)
	for _, tt := range []struct {
		name, path, body string
		code             int
		reason           metav1.StatusReason
	}{
		{"no token", reviews, `{"spec":{}}`, 400, metav1.StatusReasonBadRequest},
		{"no JSON", reviews, `{`, 400, metav1.StatusReasonBadRequest},
		{"another kind", reviews, `{"kind":"Pod","spec":{"token":"x"}}`, 400, metav1.StatusReasonBadRequest},
		{"another version", reviews, `{"apiVersion":"authentication.k8s.io/v1beta1","spec":{"token":"x"}}`, 400, metav1.StatusReasonBadRequest},
		{"3 MiB and a bit", reviews, `{"spec":{"token":"` + strings.Repeat("x", maxBody) + `"}}`, 413, metav1.StatusReasonRequestEntityTooLarge},
		{"599 s", tokens, `{"spec":{"expirationSeconds":599}}`, 422, metav1.StatusReasonInvalid},
		{"-1 s", tokens, `{"spec":{"expirationSeconds":-1}}`, 422, metav1.StatusReasonInvalid},
		{"2^32+1 s", tokens, `{"spec":{"expirationSeconds":4294967297}}`, 422, metav1.StatusReasonInvalid},
		{"no such pod", tokens, `{"spec":{"boundObjectRef":{"apiVersion":"v1","kind":"Pod","name":"x"}}}`, 404, metav1.StatusReasonNotFound},
		{"no such secret", tokens, `{"spec":{"boundObjectRef":{"apiVersion":"v1","kind":"Secret","name":"x"}}}`, 404, metav1.StatusReasonNotFound},
		{"no such node", tokens, `{"spec":{"boundObjectRef":{"apiVersion":"v1","kind":"Node","name":"x"}}}`, 404, metav1.StatusReasonNotFound},
		{"another pod", tokens, `{"spec":{"boundObjectRef":{"apiVersion":"v1","kind":"Pod","name":"web-1","uid":"x"}}}`, 409, metav1.StatusReasonConflict},
		{"another's pod", tokens, `{"spec":{"boundObjectRef":{"apiVersion":"v1","kind":"Pod","name":"db-1"}}}`, 400, metav1.StatusReasonBadRequest},
		{"bound to nonsense", tokens, `{"spec":{"boundObjectRef":{"apiVersion":"v1","kind":"Service","name":"x"}}}`, 400, metav1.StatusReasonBadRequest},
		{"another account", tokens, `{"metadata":{"uid":"x"},"spec":{}}`, 409, metav1.StatusReasonConflict},
		{"no such account", "/api/v1/namespaces/shop/serviceaccounts/x/token", `{"spec":{}}`, 404, metav1.StatusReasonNotFound},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c.CreatePod("shop", "db-1", "db", "")
			c.wantStatus(t, post(t, tt.path, token, []byte(tt.body)), tt.code, tt.reason)
		})
	}
	r := post(t, reviews, token, []byte(`{"spec":{"token":"x"}}`))
	r.Header.Set("Content-Type", "text/plain")
	c.wantStatus(t, r, 415, metav1.StatusReasonUnsupportedMediaType)
}

// kubernetes-tokens 1.2 and 1.3.
func TestTokenRequest(t *testing.T) {
	c := start(t, Options{})
	c.Grant(gate, Issue)
	ask := func(c *Cluster, body string) authenticationv1.TokenRequest {
		var tr authenticationv1.TokenRequest
		if r := c.do(t, post(t, tokens, c.gateToken(t), []byte(body)), &tr); r.StatusCode != http.StatusCreated {
			t.Fatalf("%s: %d", body, r.StatusCode)
		}
		return tr
	}
	near := func(what string, got time.Time, in time.Duration) {
		t.Helper()
		if d := time.Until(got) - in; d < -5*time.Second || d > time.Second {
			t.Errorf("%s: in %s, want %s", what, time.Until(got), in)
		}
	}
	tr := ask(c, `{"spec":{"audiences":["app"],"boundObjectRef":{"apiVersion":"v1","kind":"Pod","name":"web-1"}}}`)
	if s := c.ask(t, tr.Status.Token, "app"); !s.Authenticated || len(s.User.Extra["authentication.kubernetes.io/pod-name"]) != 1 {
		t.Errorf("the token: %+v", s)
	}
	if *tr.Spec.ExpirationSeconds != 3600 || tr.Name != "web" || tr.Namespace != "shop" {
		t.Errorf("TokenRequest = %+v", tr)
	}
	near("default", tr.Status.ExpirationTimestamp.Time, time.Hour)
	tr = ask(c, `{"spec":{"expirationSeconds":3607,"boundObjectRef":{"apiVersion":"v1","kind":"Pod","name":"web-1"}}}`)
	near("extended, and not told", tr.Status.ExpirationTimestamp.Time, seconds(3607))
	equal(t, "audiences", tr.Spec.Audiences, []string{DefaultIssuer})

	short := start(t, Options{AllowShortTokens: true})
	short.Grant(gate, Issue)
	near("short", ask(short, `{"spec":{"expirationSeconds":5}}`).Status.ExpirationTimestamp.Time, seconds(5))
	short.wantStatus(t, post(t, tokens, short.gateToken(t), []byte(`{"spec":{"expirationSeconds":0}}`)), 422, metav1.StatusReasonInvalid)
}

func TestTokenNeedsItsObjects(t *testing.T) {
	c := start(t, Options{})
	for _, r := range []Request{
		{Namespace: "shop", ServiceAccount: "x"},
		{Namespace: "x", ServiceAccount: "web"},
		{Namespace: "shop", ServiceAccount: "web", Pod: "x"},
		{Namespace: "infra", ServiceAccount: "gate", Pod: "web-1"},
	} {
		if token, err := c.Token(r); err == nil || token != "" {
			t.Errorf("%+v: %v", r, err)
		}
	}
}

func TestCounts(t *testing.T) {
	c := start(t, Options{})
	token := c.gateToken(t)
	for _, r := range []*http.Request{
		request(t, "GET", wellKnown, token, nil), request(t, "GET", keySet, token, nil), request(t, "GET", keySet, "", nil),
		post(t, reviews, token, []byte("{}")), post(t, tokens, "", []byte("{}")), request(t, "GET", "/x", "", nil),
	} {
		c.do(t, r, &json.RawMessage{})
	}
	if got, want := c.Counts(), (Counts{Discovery: 1, Keys: 2, Reviews: 1, Tokens: 1, Others: 1, WithCredential: 3}); got != want {
		t.Errorf("counts = %+v, want %+v", got, want)
	}
}
