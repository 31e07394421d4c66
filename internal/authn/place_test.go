package authn

import "testing"

func TestWaits(t *testing.T) {
	Waits(t.Context()) // no place: nothing to give back
	left := 0
	ctx := WithPlace(t.Context(), func() { left++ })
	if left != 0 {
		t.Error("the place was given back at once")
	}
	Waits(WithCaller(ctx, Caller{}))
	if left != 1 {
		t.Errorf("given back %d times, want once", left)
	}
}
