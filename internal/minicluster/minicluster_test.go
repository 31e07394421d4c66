package minicluster

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const gate = "system:serviceaccount:infra:gate"

// start makes a cluster without a review cache, unless o says otherwise, in
// which infra/gate may review and shop/web is somebody who calls.
func start(t testing.TB, o Options) *Cluster {
	t.Helper()
	if o.Keys == nil && o.Algorithm == "" {
		o.Keys = SharedKeys(0, 3)
	}
	if o.CacheTTL == 0 {
		o.CacheTTL = -1
	}
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	c.CreateServiceAccount("infra", "gate")
	c.Grant(gate, Review)
	c.CreateServiceAccount("shop", "web")
	c.CreatePod("shop", "web-1", "web", "node-1")
	return c
}

// web is what a caller's token is by default: for the audience "app".
var web = Request{Namespace: "shop", ServiceAccount: "web", Pod: "web-1", Audiences: []string{"app"}}

func (c *Cluster) mustToken(t testing.TB, r Request) string {
	t.Helper()
	token, err := c.Token(r)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// gateToken is good for calling the API server.
func (c *Cluster) gateToken(t testing.TB) string {
	t.Helper()
	return c.mustToken(t, Request{Namespace: "infra", ServiceAccount: "gate"})
}

// do calls the handler and returns the status, and the body in into.
func (c *Cluster) do(t testing.TB, r *http.Request, into any) *http.Response {
	t.Helper()
	w := httptest.NewRecorder()
	c.ServeHTTP(w, r)
	if err := json.Unmarshal(w.Body.Bytes(), into); err != nil {
		t.Fatalf("%s %s: %v: %s", r.Method, r.URL, err, w.Body)
	}
	return w.Result()
}

func post(t testing.TB, path, token string, body any) *http.Request {
	t.Helper()
	b, ok := body.([]byte)
	if !ok {
		var err error
		if b, err = json.Marshal(body); err != nil {
			t.Fatal(err)
		}
	}
	return request(t, http.MethodPost, path, token, bytes.NewReader(b))
}

func request(t testing.TB, method, path, token string, body io.Reader) *http.Request {
	r := httptest.NewRequestWithContext(t.Context(), method, path, body)
	r.Header.Set("Content-Type", "application/json")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return r
}

const reviews = "/apis/authentication.k8s.io/v1/tokenreviews"

// ask is a TokenReview by infra/gate.
func (c *Cluster) ask(t testing.TB, token string, audiences ...string) authenticationv1.TokenReviewStatus {
	t.Helper()
	var tr authenticationv1.TokenReview
	tr.Spec = authenticationv1.TokenReviewSpec{Token: token, Audiences: audiences}
	r := c.do(t, post(t, reviews, c.gateToken(t), tr), &tr)
	if r.StatusCode != http.StatusCreated || tr.Kind != "TokenReview" || tr.Spec.Token != token {
		t.Fatalf("TokenReview: %d %s", r.StatusCode, tr.Kind)
	}
	return tr.Status
}

// wantStatus makes a call that is refused.
func (c *Cluster) wantStatus(t testing.TB, r *http.Request, code int, reason metav1.StatusReason) {
	t.Helper()
	var s metav1.Status
	got := c.do(t, r, &s)
	if got.StatusCode != code || int(s.Code) != code || s.Reason != reason || s.Kind != "Status" || s.Status != "Failure" {
		t.Errorf("%s %s = %d %+v, want %d %s", r.Method, r.URL.Path, got.StatusCode, s, code, reason)
	}
}

func equal[S ~[]E, E comparable](t testing.TB, what string, got, want S) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s = %v, want %v", what, got, want)
	}
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }
