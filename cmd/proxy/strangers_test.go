package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"sallyport/internal/authn"
	"sallyport/internal/fairqueue"
)

// A flood of bad tokens gets only so much of our time, whatever is wrong with
// them, and who is known needs none of it.
func TestStrangersAreExaminedAtABoundedRate(t *testing.T) {
	w := start(t, "--mode=oidc")
	known := w.token()
	w.want(200, known)
	l := examining()
	const worth, over = 5, 100 // a bad one is worth five
	tokens := l.Burst/worth + over
	start := time.Now()
	for i := range tokens {
		if _, err := w.gate.decider.Authenticate(t.Context(), fmt.Sprintf("a.b.%d", i)); !errors.Is(err, authn.ErrUnauthenticated) {
			t.Fatalf("token %d: %v, want a refusal", i, err)
		}
	}
	// One has come back by the time that the first over the burst is taken.
	if took, least := time.Since(start), time.Duration(float64(worth*(over-1))/l.Rate*float64(time.Second)); took < least {
		t.Errorf("%d were examined within %v, and %v is the least for what is over the burst", tokens, took, least)
	}
	w.want(200, known)
}

// While as many addresses as there is room for flood with the worst tokens, another one
// has its turn in time.
func TestStrangerAmongFloods(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := examining()
		l.Concurrent = 1
		q := fairqueue.New(l)
		ctx, stop := context.WithCancel(t.Context())
		var flood func(netip.Addr)
		flood = func(a netip.Addr) {
			q.Go(a, func(release func(), err error) int {
				if err != nil {
					t.Error(err)
					return 0
				}
				defer release()
				time.Sleep(time.Millisecond)
				if ctx.Err() == nil {
					flood(a)
				}
				return 9
			})
		}
		for i := range 255 {
			flood(netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}))
		}
		time.Sleep(5 * time.Second) // beyond the burst
		start := time.Now()
		release, err := q.Acquire(t.Context(), netip.MustParseAddr("198.51.100.1"))
		if err != nil {
			t.Fatalf("after %v: %v", time.Since(start), err)
		}
		release()
		t.Logf("after %v", time.Since(start))
		stop()
		time.Sleep(5 * time.Second)
	})
}
