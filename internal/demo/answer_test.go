package demo

import (
	"errors"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"sallyport/internal/minicluster"
)

func TestAnswerRefused(t *testing.T) {
	const expired = `Bearer realm="r", error="invalid_token", error_description="the token has expired"`
	for _, tc := range []struct {
		name string
		a    answer
		err  string
	}{
		{"as it should be", answer{code: 401, challenge: expired}, ""},
		{"served", answer{code: 200, arrived: http.Header{}}, "the app was reached"},
		{"refused, and served all the same", answer{code: 401, challenge: expired, arrived: http.Header{}}, "the app was reached"},
		{"an outage", answer{code: 503, retry: "1"}, "not refused: 503 try again in 1 s"},
		{"no answer", answer{err: errors.New("cut")}, "not refused: --- cut"},
		{"without an error code", answer{code: 401, challenge: `Bearer realm="r"`}, "the challenge is"},
		{"for another reason", answer{code: 401, challenge: strings.Replace(expired, "has expired", "is odd", 1)}, `it says "the token is odd"`},
	} {
		check(t, tc.name, tc.a.refused(saysExpired), tc.err)
	}
}

func TestAnswerServed(t *testing.T) {
	token := someToken(t)
	good := func(change func(http.Header)) answer {
		h := identity("cart-0", idOf(token))
		change(h)
		return answer{code: 200, arrived: h}
	}
	for _, tc := range []struct {
		name string
		a    answer
		err  string
	}{
		{"as it should be", good(func(http.Header) {}), ""},
		{"refused", answer{code: 401}, "not served: 401"},
		{"not by the app", answer{code: 200}, "somebody else"},
		{"nobody", good(func(h http.Header) { h.Del(userHeader) }), `the app saw ""`},
		{"somebody else", good(func(h http.Header) { h.Set(userHeader, "admin") }), `the app saw "admin"`},
		{"two of them", good(func(h http.Header) { h.Add(userHeader, "admin") }), "and admin"},
		{"another token", good(func(h http.Header) { h.Set(credentialHeader, "JTI=other") }), "another token's id"},
		{"with the token", good(func(h http.Header) { h.Set("Authorization", "Bearer x") }), "the app got the token"},
	} {
		check(t, tc.name, tc.a.served(token), tc.err)
	}
}

func check(t *testing.T, name string, err error, want string) {
	t.Helper()
	if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
		t.Errorf("%s: %v, want %q", name, err, want)
	}
}

func someToken(t *testing.T) string {
	t.Helper()
	w := &world{}
	var err error
	w.cluster, err = minicluster.New(minicluster.Options{Keys: minicluster.SharedKeys(0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	w.cluster.CreateServiceAccount(namespace, callerAccount)
	w.cluster.CreatePod(namespace, callerPod, callerAccount, "")
	token, err := w.token(ourAudience)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestCame(t *testing.T) {
	for _, tc := range []struct {
		codes []string
		notes []string
		want  string
	}{
		{nil, nil, ""},
		{[]string{"401"}, nil, "401"},
		{[]string{"200", "200", "401"}, nil, "200 x2, 401"},
		{[]string{"200", "401", "200"}, []string{"late"}, "200, 401, 200; late"},
		{nil, []string{"late"}, "late"},
	} {
		if got := (&take{codes: tc.codes, notes: tc.notes}).came(); got != tc.want {
			t.Errorf("%q %q: %q, want %q", tc.codes, tc.notes, got, tc.want)
		}
	}
}

func TestSpoilChangesOneLetterOfTheSignature(t *testing.T) {
	token := someToken(t)
	spoilt := spoil(token)
	var changed []int
	for i := range token {
		if token[i] != spoilt[i] {
			changed = append(changed, i)
		}
	}
	begin := strings.LastIndexByte(token, '.')
	if len(spoilt) != len(token) || len(changed) != 1 || changed[0] <= begin || changed[0] >= len(token)-1 {
		t.Errorf("changed at %v of %d, the signature begins at %d", changed, len(token), begin)
	}
	if spoil("h.c.AAAA") == "h.c.AAAA" {
		t.Error("an A stays as it is")
	}
}

func TestShortIsNoPartOfTheToken(t *testing.T) {
	token := someToken(t)
	if s := short(token); len(s) != 8 || strings.Contains(token, s) {
		t.Errorf("short is %q", s)
	}
	if short("garbage") != "" || left("garbage") != 0 {
		t.Error("garbage has neither an id nor a life")
	}
}

func TestSteadyTally(t *testing.T) {
	var b lockedBuffer
	s := newSteady(&world{story: newStory(&b, false)}, "")
	token, ok := someToken(t), answer{code: 200}
	s.note(token, ok)
	end := s.mark()
	s.note(token, ok)
	if got := end(); got.all != 1 || got.err() != nil {
		t.Errorf("marked: %v", got)
	}
	end = s.mark()
	s.note(token, answer{code: 503, retry: "1"})
	s.note(token, answer{code: 401})
	s.note(token, ok)
	got, want := end(), "steady 2 of 3 not 200, the first: 503 try again in 1 s"
	if got.err() == nil || got.String() != want {
		t.Errorf("%v, want %q", got, want)
	}
	if all := s.tally(); all.all != 5 || all.good != 3 {
		t.Errorf("in all: %+v", all)
	}
	if len(s.marks) != 0 {
		t.Error("what was marked is still counted")
	}
	// The first, 503, 401, and 200 again: what does not change is not told.
	if n := strings.Count(b.String(), "\n"); n != 4 {
		t.Errorf("%d lines:\n%s", n, b.String())
	}
	if (tally{}).err() == nil {
		t.Error("no request at all is no success")
	}
	failed := tally{}
	failed.add(answer{err: os.ErrNotExist})
	failed.add(answer{code: 503})
	if !errors.Is(failed.wrong.err, os.ErrNotExist) {
		t.Errorf("the first is %v", failed.wrong)
	}
}

func TestAppForgets(t *testing.T) {
	a := newApp(page)
	for range pages + 10 {
		r, _ := http.NewRequest(http.MethodGet, "/"+strings.Repeat("x", len(a.seen)), nil)
		a.ServeHTTP(nil, r)
	}
	if len(a.seen) != pages {
		t.Errorf("%d are remembered, want %d", len(a.seen), pages)
	}
	if a.take("/x") == nil || a.take("/x") != nil {
		t.Error("taken is taken once")
	}
}

// The scenes are those that were asked for, in that order.
func TestScenes(t *testing.T) {
	want := []string{
		"good caller", "no token", "another audience", "forged signature", "an article's tokens",
		"expired copy", "API server's audience", "pod deleted", "signing key rotated", "API server down",
	}
	var got []string
	for _, s := range scenes {
		got = append(got, s.name)
		if s.about == "" || s.expect == "" || s.play == nil {
			t.Errorf("%s is not complete", s.name)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("scenes %q", got)
	}
}
