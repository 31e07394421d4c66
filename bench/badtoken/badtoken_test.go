package badtoken

import (
	"testing"

	"sallyport/bench/world"
	"sallyport/internal/authn"
	"sallyport/internal/authn/jwt"
)

// What is too large, or has too many claims, costs nothing.
func TestLarge(t *testing.T) {
	w, err := world.New(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	r, err := Large(w)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(r.Token); n > authn.MaxToken || n < authn.MaxToken-100 {
		t.Errorf("%d bytes, want nearly %d", n, authn.MaxToken)
	}
	if _, err := jwt.Decode(r.Token); err != nil {
		t.Error(err)
	}
}
