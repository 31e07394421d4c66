package callers

import (
	"fmt"
	"testing"
	"time"

	"sallyport/internal/authn"
)

var now = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// aged returns a token that was issued age ago for life.
func aged(age, life time.Duration) *authn.Token {
	return &authn.Token{Issued: now.Add(-age), Expires: now.Add(life - age)}
}

func TestLetThrough(t *testing.T) {
	const hour, year = time.Hour, 365 * 24 * time.Hour
	extended := aged(2*hour, year)
	extended.WarnAfter = now.Add(-hour)
	for _, tc := range []struct {
		name  string
		token *authn.Token
		want  Caller
	}{
		{"fresh", aged(0, hour), Caller{LongestLife: hour}},
		{"when the kubelet replaces it", aged(48*time.Minute, hour), Caller{LongestLife: hour}},
		{"a minute before the last tenth", aged(53*time.Minute, hour), Caller{LongestLife: hour}},
		{"in the last tenth", aged(55*time.Minute, hour), Caller{Late: 1, LateAt: now, LongestLife: hour}},
		{"of ten minutes, when the kubelet may not have replaced it", aged(570*time.Second, 10*time.Minute), Caller{LongestLife: 10 * time.Minute}},
		{"of twenty minutes, before a client has the next", aged(18*time.Minute+29*time.Second, 20*time.Minute), Caller{LongestLife: 20 * time.Minute}},
		{"of twenty minutes, and afterwards", aged(18*time.Minute+31*time.Second, 20*time.Minute), Caller{Late: 1, LateAt: now, LongestLife: 20 * time.Minute}},
		{"stale", extended, Caller{Stale: 1, StaleAt: now, LongestLife: year}},
		{"legacy", &authn.Token{Legacy: true}, Caller{Legacy: 1, LegacyAt: now}},
		{"that says nothing", &authn.Token{}, Caller{}},
	} {
		c := New(10)
		c.LetThrough("a", tc.token, now)
		got := c.List()[0]
		tc.want.Subject, tc.want.Requests, tc.want.Token, tc.want.Seen = "a", 1, *tc.token, now
		if got != tc.want {
			t.Errorf("%s: %+v, want %+v", tc.name, got, tc.want)
		}
	}
}

func TestRefuse(t *testing.T) {
	c := New(10)
	c.Refuse("", authn.Signature, now)
	c.Refuse("a", authn.Stale, now)
	c.Refuse("a", authn.Lifetime, now.Add(time.Second))
	want := []Caller{
		{Subject: "a", Refusals: 2, Reason: authn.Lifetime, Refused: now.Add(time.Second)},
		{Subject: Unknown, Refusals: 1, Reason: authn.Signature, Refused: now},
	}
	if got := c.List(); len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("%+v", got)
	}
}

// There is room for so many. Who has not called for an hour makes room.
func TestRoom(t *testing.T) {
	c := New(3)
	for i := range 10 {
		c.LetThrough(fmt.Sprint("s", i), aged(0, time.Hour), now)
		c.Refuse("", authn.Missing, now)
	}
	if got := c.List(); len(got) != 5 || got[0].Subject != Other || got[0].Requests != 7 || got[4].Refusals != 10 {
		t.Errorf("%+v", got)
	}
	c.LetThrough("s1", aged(0, time.Hour), now.Add(time.Hour))
	c.LetThrough("new", aged(0, time.Hour), now.Add(idle+time.Second))
	names := ""
	for _, k := range c.List() {
		names += k.Subject + " "
	}
	if names != "new other s1 unknown " {
		t.Error(names)
	}
}

func BenchmarkLetThrough(b *testing.B) {
	c, token := New(256), aged(0, time.Hour)
	b.ReportAllocs()
	for range b.N {
		c.LetThrough("system:serviceaccount:shop:checkout", token, now)
	}
}

// Requests are told of by the page, and not in their order.
func TestOlderLater(t *testing.T) {
	c, now := New(3), time.Now()
	before := authn.Token{Issued: now.Add(-2 * time.Hour), Expires: now.Add(-time.Hour), WarnAfter: now.Add(-time.Hour)}
	after := authn.Token{Issued: now, Expires: now.Add(time.Hour)}
	c.LetThrough("a", &before, now.Add(time.Second))
	c.LetThrough("a", &after, now.Add(2*time.Second))
	c.LetThrough("a", &before, now)
	k := c.all["a"]
	if k.Token != after || !k.Seen.Equal(now.Add(2*time.Second)) || !k.StaleAt.Equal(now.Add(time.Second)) || k.Stale != 2 {
		t.Errorf("%+v", k)
	}
}
