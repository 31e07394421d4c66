package authn

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestReasonOf(t *testing.T) {
	err := fmt.Errorf("reviewing: %w", Unavailable(Overload, "%d waiting", 64))
	if !errors.Is(err, ErrUnavailable) || errors.Is(err, ErrUnauthenticated) || ReasonOf(err) != Overload {
		t.Errorf("%v: kind or reason lost", err)
	}
	if got := ReasonOf(errors.New("other")); got != Internal {
		t.Errorf("an error without a reason is %q, want %q", got, Internal)
	}
	if got, want := Refuse(Expired, "5s ago").Error(), "unauthenticated: expired: 5s ago"; got != want {
		t.Errorf("Error() = %q, want %q", got, want)
	}
}

func TestDescriptions(t *testing.T) {
	for _, r := range Reasons {
		d := r.Description()
		if d == "" || strings.ContainsAny(d, "\"\\") {
			t.Errorf("%s: %q does not fit a quoted error_description", r, d)
		}
		for _, c := range d {
			if c < 0x20 || c > 0x7e {
				t.Errorf("%s: %q is not plain ASCII", r, d)
			}
		}
	}
}

func TestProof(t *testing.T) {
	var p *Proof
	if !p.Stands() {
		t.Error("without a proof the API server vouches: it must stand")
	}
	p = &Proof{}
	if !p.Stands() {
		t.Error("a fresh proof must stand")
	}
	p.Withdraw()
	if p.Stands() {
		t.Error("a withdrawn proof stands")
	}
}
