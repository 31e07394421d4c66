package main

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"sallyport/internal/authn"
)

// A flood of bad tokens gets only so much of our time, whatever is wrong with
// them, and who is known needs none of it.
func TestStrangersAreExaminedAtABoundedRate(t *testing.T) {
	w := start(t, "--mode=oidc")
	known := w.token()
	w.want(200, known)
	l := examining()
	const over = 500
	start := time.Now()
	for i := range l.Burst + over {
		if _, err := w.gate.decider.Authenticate(t.Context(), fmt.Sprintf("a.b.%d", i)); !errors.Is(err, authn.ErrUnauthenticated) {
			t.Fatalf("token %d: %v, want a refusal", i, err)
		}
	}
	// One has come back by the time that the first over the burst is taken.
	if took, least := time.Since(start), time.Duration(float64(over-1)/l.Rate*float64(time.Second)); took < least {
		t.Errorf("%d were examined within %v, and %v is the least for what is over the burst", l.Burst+over, took, least)
	}
	w.want(200, known)
}
