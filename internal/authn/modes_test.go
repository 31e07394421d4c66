package authn

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"
)

func says(id Identity, err error) Func {
	return func(context.Context, string) (Identity, error) { return id, err }
}

func named(subject string) Func { return says(Identity{Subject: subject}, nil) }

func TestIssuers(t *testing.T) {
	i := &Issuers{
		Cluster: named("cluster"),
		Others:  map[string]Authenticator{"https://idp": named("idp"), "https://bad": says(Identity{}, Refuse(Signature, "x"))},
	}
	for _, tc := range []struct {
		claimed string
		shape   error
		want    string // the subject
		reason  Reason
	}{
		{"https://cluster", nil, "cluster", ""},
		{"https://idp", nil, "idp", ""},
		{"https://idp/", nil, "cluster", ""}, // who says whether it is theirs
		{"https://bad", nil, "", Signature},
		{"", nil, "cluster", ""},
		{"", Refuse(Malformed, "x"), "", Malformed},
		{"https://cluster", Refuse(Malformed, "x"), "", Malformed},
	} {
		i.Claimed = func(string) (string, error) { return tc.claimed, tc.shape }
		id, err := i.Authenticate(t.Context(), "token")
		if id.Subject != tc.want || (err == nil) != (tc.want != "") || err != nil && ReasonOf(err) != tc.reason {
			t.Errorf("%q, %v: %+v, %v; want %q or %s", tc.claimed, tc.shape, id, err, tc.want, tc.reason)
		}
	}
}

// A token goes to the one who decides and to nobody else.
func TestIssuersShowTheTokenToOne(t *testing.T) {
	var shown []string
	show := func(name string) Func {
		return func(context.Context, string) (Identity, error) {
			shown = append(shown, name)
			return Identity{}, Refuse(Signature, "x")
		}
	}
	i := &Issuers{
		Claimed: func(string) (string, error) { return "b", nil }, Cluster: show("cluster"),
		Others: map[string]Authenticator{"a": show("a"), "b": show("b")},
	}
	i.Authenticate(t.Context(), "token")
	if !slices.Equal(shown, []string{"b"}) {
		t.Errorf("shown to %q", shown)
	}
}

// Where there is nothing to choose, nobody reads the token but who decides.
func TestIssuersOfTheClusterAlone(t *testing.T) {
	i := &Issuers{Claimed: func(string) (string, error) { t.Error("the token was read"); return "", nil }, Cluster: named("cluster")}
	if id, err := i.Authenticate(t.Context(), "token"); err != nil || id.Subject != "cluster" {
		t.Errorf("%+v, %v", id, err)
	}
}

func TestBoth(t *testing.T) {
	proof := &Proof{KeyID: "k"}
	expires := time.Now().Add(time.Hour)
	proven := Identity{Subject: "u", UID: "1", Groups: []string{"local"}, Audiences: []string{"a", "b"}, Expires: expires, Proof: proof}
	claimed := proven
	claimed.Proof = nil
	with := func(change func(*Identity)) Identity {
		id := Identity{Subject: "u", UID: "1", Groups: []string{"remote"}, Audiences: []string{"b", "a"}, Standing: Confirmed}
		if change != nil {
			change(&id)
		}
		return id
	}
	yes := with(nil)
	away, revoked := Unavailable(ReviewFailed, "x"), Refuse(Revoked, "x")
	for name, tc := range map[string]struct {
		first, review Identity
		firstErr, err error
		serve         bool

		standing   Standing
		audiences  []string
		reason     Reason
		is         error
		mismatched bool
	}{
		"both say yes":                 {first: proven, review: yes, standing: Confirmed, audiences: []string{"b", "a"}},
		"claimed, and reviewed":        {first: claimed, review: yes, standing: Confirmed, audiences: []string{"b", "a"}},
		"first says no":                {firstErr: Refuse(Expired, "x"), review: yes, reason: Expired, is: ErrUnauthenticated},
		"first cannot say":             {firstErr: Unavailable(KeysUnavailable, "x"), review: yes, reason: KeysUnavailable, is: ErrUnavailable},
		"first cannot say, but serve":  {firstErr: Unavailable(KeysUnavailable, "x"), err: away, serve: true, reason: KeysUnavailable, is: ErrUnavailable},
		"review says no":               {first: proven, err: revoked, reason: Revoked, is: ErrUnauthenticated},
		"review says no, serve":        {first: proven, err: revoked, serve: true, reason: Revoked, is: ErrUnauthenticated},
		"away":                         {first: proven, err: away, reason: ReviewFailed, is: ErrUnavailable},
		"away, serve what is proven":   {first: proven, err: away, serve: true, standing: Unconfirmed, audiences: []string{"a", "b"}},
		"away, but nothing is proven":  {first: claimed, err: away, serve: true, reason: ReviewFailed, is: ErrUnavailable},
		"overload, serve":              {first: proven, err: Unavailable(Overload, "x"), serve: true, standing: Unconfirmed, audiences: []string{"a", "b"}},
		"the caller left, serve":       {first: proven, err: context.Canceled, serve: true, reason: Internal, is: context.Canceled},
		"serve, but review answers":    {first: proven, review: yes, serve: true, standing: Confirmed, audiences: []string{"b", "a"}},
		"another subject":              {first: proven, review: with(func(i *Identity) { i.Subject = "v" }), reason: Mismatch, is: ErrUnauthenticated, mismatched: true},
		"another subject, serve":       {first: proven, review: with(func(i *Identity) { i.Subject = "v" }), serve: true, reason: Mismatch, is: ErrUnauthenticated, mismatched: true},
		"another uid":                  {first: proven, review: with(func(i *Identity) { i.UID = "2" }), reason: Mismatch, is: ErrUnauthenticated, mismatched: true},
		"no uid":                       {first: proven, review: with(func(i *Identity) { i.UID = "" }), reason: Mismatch, is: ErrUnauthenticated, mismatched: true},
		"subject in capitals":          {first: proven, review: with(func(i *Identity) { i.Subject = "U" }), reason: Mismatch, is: ErrUnauthenticated, mismatched: true},
		"claimed, and another subject": {first: claimed, review: with(func(i *Identity) { i.Subject = "v" }), reason: Mismatch, is: ErrUnauthenticated, mismatched: true},
		"fewer audiences":              {first: proven, review: with(func(i *Identity) { i.Audiences = []string{"b"} }), standing: Confirmed, audiences: []string{"b"}},
		"more audiences":               {first: proven, review: with(func(i *Identity) { i.Audiences = []string{"c", "a"} }), standing: Confirmed, audiences: []string{"a"}},
		"other audiences":              {first: proven, review: with(func(i *Identity) { i.Audiences = []string{"c"} }), reason: Audience, is: ErrUnauthenticated},
		"no audiences":                 {first: proven, review: with(func(i *Identity) { i.Audiences = nil }), reason: Audience, is: ErrUnauthenticated},
	} {
		told := false
		before := slices.Clone(tc.review.Audiences)
		asked := false
		b := &Both{
			First: says(tc.first, tc.firstErr),
			Review: Func(func(context.Context, string) (Identity, error) {
				asked = true
				return tc.review, tc.err
			}),
			ServeVerified: tc.serve,
			Mismatched:    func(Identity, Identity) { told = true },
		}
		id, err := b.Authenticate(t.Context(), "token")
		if told != tc.mismatched || asked == (tc.firstErr != nil) {
			t.Errorf("%s: told of a mismatch: %v, API server asked: %v", name, told, asked)
		}
		if !slices.Equal(before, tc.review.Audiences) {
			t.Errorf("%s: the review's own audiences were changed to %q", name, tc.review.Audiences)
		}
		if tc.reason != "" {
			if !errors.Is(err, tc.is) || ReasonOf(err) != tc.reason || id.Subject != "" {
				t.Errorf("%s: %+v, %v; want %s", name, id, err, tc.reason)
			}
			continue
		}
		groups := "remote"
		if tc.standing == Unconfirmed {
			groups = "local"
		}
		if err != nil || id.Subject != "u" || id.Standing != tc.standing || !slices.Equal(id.Audiences, tc.audiences) ||
			!id.Expires.Equal(expires) || id.Proof != tc.first.Proof || id.Groups[0] != groups {
			t.Errorf("%s: %+v, %v", name, id, err)
		}
	}
}

func TestCaller(t *testing.T) {
	if c := CallerOf(t.Context()); c != (Caller{}) {
		t.Errorf("%+v", c)
	}
	want := Caller{Known: true}
	if c := CallerOf(WithCaller(t.Context(), want)); c != want {
		t.Errorf("%+v", c)
	}
}
