package tokenfile

import (
	"fmt"
	"testing"
	"time"

	"sallyport/internal/authn/jwt"
)

func TestState(t *testing.T) {
	const day = 24 * time.Hour
	type c struct{ iat, exp, warn time.Duration } // since issued; -1 is absent
	const none = -1
	issued := time.Unix(1_800_000_000, 0)
	ten, hour, magic := c{0, 10 * time.Minute, none}, c{0, time.Hour, none}, c{0, 365 * day, 3607 * time.Second}
	long, legacy, undated := c{0, 7 * day, none}, c{none, none, none}, c{none, time.Hour, none}
	for i, tc := range []struct {
		claims c
		age    time.Duration
		want   State
	}{
		{ten, 0, Fresh},
		{ten, 570 * time.Second, Fresh}, // the kubelet may take that long
		{ten, 581 * time.Second, Late},
		{ten, 599 * time.Second, Late},
		{ten, 600 * time.Second, Expired},
		{hour, 2980 * time.Second, Fresh},
		{hour, 2981 * time.Second, Late},
		{hour, 3600 * time.Second, Expired},
		{hour, -time.Minute, Fresh}, // the API server's clock is ahead
		{magic, 2985 * time.Second, Fresh},
		{magic, 2990 * time.Second, Late},
		{magic, 3607 * time.Second, Expired},
		{c{0, 30 * day / 24, none}, day, Fresh},
		{c{0, 30 * time.Hour, none}, day + jwt.RenewalSlack + 1, Late},
		{long, day + jwt.RenewalSlack, Fresh},
		{long, day + jwt.RenewalSlack + 1, Late},
		{long, 7 * day, Expired},
		{c{0, 5 * time.Second, none}, 4 * time.Second, Fresh}, // a demo's token has no time to be late
		{c{0, 5 * time.Second, none}, 5 * time.Second, Expired},
		{legacy, 100 * 365 * day, Fresh},
		{undated, 59 * time.Minute, Fresh},
		{undated, time.Hour, Expired},
		{c{0, none, 3607 * time.Second}, 3607 * time.Second, Expired},
		{c{0, time.Hour, 365 * day}, time.Hour, Expired},
	} {
		at := func(d time.Duration) time.Time {
			if d == none {
				return time.Time{}
			}
			return issued.Add(d)
		}
		tok := &jwt.Token{Claims: jwt.Claims{IssuedAt: at(tc.claims.iat), Expires: at(tc.claims.exp)}}
		if tc.claims.warn != none {
			tok.Claims.Kubernetes = &jwt.Kubernetes{WarnAfter: at(tc.claims.warn)}
		}
		if got := stateOf(tok, issued.Add(tc.age)); got != tc.want {
			t.Errorf("%d: %+v at %v: %s, want %s", i, tc.claims, tc.age, got, tc.want)
		}
	}
	if got := stateOf(nil, issued); got != Missing {
		t.Errorf("no token: %s", got)
	}
}

func TestStatusTimes(t *testing.T) {
	raw := sign(`{"jti":"t1","iat":1000,"exp":9000,"kubernetes.io":{"namespace":"ns","warnafter":2000}}`)
	inHouse(t, raw, func(t *testing.T, h *house) {
		st := h.Status()
		if st.Issued.Unix() != 1000 || st.Expires.Unix() != 9000 || st.WarnAfter.Unix() != 2000 || !st.Loaded.Equal(h.opened) {
			t.Errorf("status = %+v", st)
		}
	})
	inHouse(t, sign(`{"iss":"kubernetes/serviceaccount"}`), func(t *testing.T, h *house) {
		time.Sleep(time.Hour)
		if st := h.Status(); st.State != Fresh || !st.Issued.IsZero() || !st.Expires.IsZero() || !st.WarnAfter.IsZero() {
			t.Errorf("a token that never expires: status = %+v", st)
		}
	})
}

// The first to say that the kubelet does not do its work are we, once.
func TestLateIsToldOnce(t *testing.T) {
	inHouse(t, sign(`{"jti":"t0"}`), func(t *testing.T, h *house) {
		first := token("t1", time.Hour)
		h.write(first)
		h.wait()
		h.logs.TakeAll()
		for _, step := range []struct {
			wait  time.Duration
			lines []string
		}{
			{49 * time.Minute, nil},
			{time.Minute, []string{"warn: own token is late"}},
			{9 * time.Minute, nil},
			{time.Minute, []string{"error: own token has outlived"}},
			{time.Hour, nil},
		} {
			time.Sleep(step.wait)
			h.want(t, fmt.Sprint(step.wait), first, step.lines...)
		}
		next := token("t2", time.Hour)
		h.write(next)
		h.wait()
		h.want(t, "replaced", next, "info: own token rotated", "info: own token is fresh again")
	})
}
