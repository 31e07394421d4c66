package tokenreview

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"sallyport/internal/authn"
)

// A said is what an answer says to somebody who reads names to the letter, and
// knows nothing else of Kubernetes.
type said struct {
	Kind       string `json:"kind"`
	APIVersion string `json:"apiVersion"`
	Status     struct {
		Authenticated bool     `json:"authenticated"`
		Audiences     []string `json:"audiences"`
		User          struct {
			Username string   `json:"username"`
			UID      string   `json:"uid"`
			Groups   []string `json:"groups"`
		} `json:"user"`
	} `json:"status"`
}

// An answer is a yes if it says so, of somebody, to us; a no if it is a review;
// and else an outage. TOKEN in an answer is the caller's, and OWN is ours: no
// error repeats them.
func FuzzAnswer(f *testing.F) {
	const review = `{"kind":"TokenReview","apiVersion":"authentication.k8s.io/v1"`
	f.Add(201, review+`,"status":{"authenticated":true,"user":{"username":"u"},"audiences":["ours"]}}`, "")
	f.Add(201, review+`,"status":{"authenticated":false,"error":"no: TOKEN"}}`, "")
	f.Add(500, `{"kind":"Status","apiVersion":"v1","status":"Failure","message":"OWN","details":{"retryAfterSeconds":2147483647}}`, "")
	f.Add(429, ``, "7")
	b := newBench(f, nil)
	f.Fuzz(func(t *testing.T, code int, body, retryAfter string) {
		if code < 100 || code > 999 {
			return // no status of an answer
		}
		body = strings.NewReplacer("TOKEN", theToken, "OWN", ownToken).Replace(body)
		b.server.set(text(code, body, "Retry-After", retryAfter))
		status, failure := b.ask(t.Context(), b.callers(theToken))
		if (status == nil) == (failure == nil) {
			t.Fatalf("status %v, failure %v", status, failure)
		}
		if failure != nil {
			if e := failure.err(); !errors.Is(e, authn.ErrUnavailable) || e.RetryAfter < 0 {
				t.Errorf("%#v", e)
			}
			silent(t, failure.err())
			return
		}
		var s said
		if err := json.Unmarshal([]byte(body), &s, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)); err != nil ||
			code != http.StatusCreated || s.Kind != "TokenReview" || s.APIVersion != "authentication.k8s.io/v1" {
			t.Fatalf("%d %q is an answer: %v", code, body, err)
		}
		v := b.judge(status)
		if v.refusal != nil {
			if v.Subject != "" || !errors.Is(v.refusal, authn.ErrUnauthenticated) {
				t.Errorf("refused with %+v", v)
			}
			silent(t, v.refusal)
		}
		yes := s.Status.Authenticated && s.Status.User.Username != "" && s.Status.User.Username != "system:anonymous" &&
			!slices.Contains(s.Status.User.Groups, "system:unauthenticated") &&
			(slices.Contains(s.Status.Audiences, "ours") || slices.Contains(s.Status.Audiences, "also"))
		if yes != (v.refusal == nil) {
			t.Errorf("%q: %v", body, v.refusal)
		}
		if u := s.Status.User; yes && (v.Subject != u.Username || v.UID != u.UID || !slices.Equal(v.Groups, u.Groups)) {
			t.Errorf("%q is %+v", body, v)
		}
	})
}

// silent fails t if err repeats a token, or a part of one.
func silent(t *testing.T, err error) {
	t.Helper()
	for _, part := range []string{signature[:12], "oWnSiGoWnSiG"} {
		if strings.Contains(err.Error(), part) {
			t.Errorf("a token is in: %v", err)
		}
	}
}
