package explain

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"sallyport/internal/authn"
)

func TestDecide(t *testing.T) {
	for _, c := range []struct {
		err     error
		verdict Verdict
		status  int
		text    string
	}{
		{nil, Accepted, 0, "Accepted, with the reason ok: the request goes to the app.\nThe app sees jo, uid \"1\", of the groups a, b.\n  k: v\n"},
		{authn.Refuse(authn.Expired, "x"), Refused, 401, "Refused: 401, with the reason expired.\nThe caller is told: the token has expired.\nWhat would change that: a client"},
		{&authn.Error{Kind: authn.ErrNoToken, Reason: authn.Missing}, Refused, 401, "Refused: 401, with the reason missing.\nWhat would change that: send"},
		{&authn.Error{Kind: authn.ErrBadRequest, Reason: authn.Header}, Refused, 400, "Refused: 400, with the reason header.\nThe caller is told: the Authorization header must"},
		{authn.Unavailable(authn.ReviewFailed, "x"), Undecided, 503, "Undecided: 503, with the reason review_failed. That says nothing about the token.\nWhat would"},
		{context.Canceled, Undecided, 503, "Undecided: 503, with the reason internal."},
	} {
		var r Report
		r.Decide(authn.Identity{Subject: "jo", UID: "1", Groups: []string{"a", "b"}, Extra: map[string][]string{"k": {"v"}}}, c.err)
		var b bytes.Buffer
		if err := r.Text(&b); err != nil {
			t.Fatal(err)
		}
		if r.Verdict != c.verdict || r.Status != c.status || !strings.Contains(b.String(), c.text) || (r.Caller == nil) != (c.err != nil) {
			t.Errorf("%v: %+v\n%s", c.err, r, b.String())
		}
	}
}

// What a caller wrote is bounded, and does not reach the terminal as it is.
func TestStep(t *testing.T) {
	r := Report{Configured: []Setting{{Name: "its issuers"}}}
	signature := strings.Repeat("c2ln", 30)
	r.Step(authn.Step{Check: "issuer", Err: authn.Refuse(authn.Issuer, "\x1b[31m%s", signature)})
	r.Step(authn.Step{Check: "key", Skipped: true})
	r.Step(authn.Step{Check: "review", Err: context.Canceled})
	var b bytes.Buffer
	if err := r.Text(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"its issuers         (none known)\n", "REFUSED     issuer", "[...]", "-           key", "context canceled"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is missing in\n%s", want, b.String())
		}
	}
	if strings.ContainsAny(b.String(), "\x1b") || strings.Contains(b.String(), signature) {
		t.Errorf("%q", b.String())
	}
}

// Who is warned is let through all the same, and no column runs into the next.
func TestWords(t *testing.T) {
	r := Report{Verdict: Accepted, Reason: authn.OK, Advice: "read the file again."}
	for check := range Asks {
		r.Step(authn.Step{Check: check})
	}
	var b bytes.Buffer
	if err := r.Text(&b); err != nil {
		t.Fatal(err)
	}
	for check, asks := range Asks {
		if !strings.Contains(b.String(), check+" ") || !strings.Contains(b.String(), "  "+asks+"\n") {
			t.Errorf("%q runs into %q in\n%s", check, asks, b.String())
		}
	}
	if !strings.Contains(b.String(), "goes to the app.\nThe caller is warned: read the file again.\n") {
		t.Error(b.String())
	}
}
