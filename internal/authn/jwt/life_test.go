package jwt

import (
	"testing"
	"time"
)

func TestRenewal(t *testing.T) {
	const hour, year = time.Hour, 365 * 24 * time.Hour
	issued := time.Unix(1_800_000_000, 0)
	for _, c := range []struct {
		exp, warn    time.Duration // since issued; 0 is absent
		end, renewal time.Duration
	}{
		{600 * time.Second, 0, 600 * time.Second, 480 * time.Second},
		{hour, 0, hour, 48 * time.Minute},
		{year, 3607 * time.Second, 3607 * time.Second, 3607 * time.Second / 5 * 4},
		{30 * hour, 0, 30 * hour, 24 * hour},
		{7 * 24 * hour, 0, 7 * 24 * hour, 24 * hour},
		{hour, 2 * hour, hour, 48 * time.Minute},
		{0, hour, hour, 48 * time.Minute},
		{0, 0, 0, 0},
	} {
		at := func(d time.Duration) time.Time {
			if d == 0 {
				return time.Time{}
			}
			return issued.Add(d)
		}
		claims := Claims{IssuedAt: issued, Expires: at(c.exp), Kubernetes: &Kubernetes{WarnAfter: at(c.warn)}}
		if end, renewal := claims.End(), claims.Renewal(); !end.Equal(at(c.end)) || !renewal.Equal(at(c.renewal)) {
			t.Errorf("%+v: ends %v, renewed %v", c, end, renewal)
		}
		claims.IssuedAt = time.Time{}
		if renewal := claims.Renewal(); !renewal.IsZero() {
			t.Errorf("%+v: without iat renewed %v", c, renewal)
		}
	}
	if end := (&Claims{Expires: issued}).End(); !end.Equal(issued) {
		t.Errorf("without kubernetes.io: %v", end)
	}
}
