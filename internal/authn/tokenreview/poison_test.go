package tokenreview

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
)

// Somebody who keeps sending a token that the API server chokes on must not keep
// it away for the others.
func TestPoisonedTokenAgainAndAgain(t *testing.T) {
	for name, poison := range map[string]answer{"500": text(500, ""), "cut": fails(io.ErrUnexpectedEOF), "slow": after(2900*time.Millisecond, no), "hang": hang} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, nil)
				b.server.set(byToken(poison))
				b.run(t)
				end := time.Now().Add(20 * time.Second)
				done := make(chan struct{})
				for range 8 {
					go func() {
						for time.Now().Before(end) {
							b.Authenticate(t.Context(), "poison")
							time.Sleep(10 * time.Millisecond)
						}
						done <- struct{}{}
					}()
				}
				refused, asked := 0, 0
				for time.Now().Before(end) {
					asked++
					if _, err := b.Authenticate(t.Context(), theToken); err != nil {
						refused++
					}
					time.Sleep(100 * time.Millisecond)
				}
				for range 8 {
					<-done
				}
				if refused > asked/100 {
					t.Errorf("%d of %d good callers were turned away", refused, asked)
				}
			})
		})
	}
}

// byToken answers a where the token is "poison", and yes otherwise.
func byToken(a answer) answer {
	return func(r *http.Request) (*http.Response, error) {
		if strings.HasPrefix(specOf(r).Token, "poison") {
			return a(r)
		}
		return yes(r)
	}
}

// An API server with a slow authentication webhook asks it about every token
// that is not a service account's for the audiences in question. It must not
// look as if it were away.
func TestSlowWebhook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(r *http.Request) (*http.Response, error) {
			switch spec := specOf(r); {
			case spec.Token == theToken, spec.Token == ownToken && len(spec.Audiences) == 0:
				return yes(r)
			}
			return hang(r)
		})
		b.run(t)
		for range 20 {
			if _, err := b.Authenticate(t.Context(), theToken); err != nil {
				t.Errorf("a good caller: %v", err)
			}
			go b.Authenticate(t.Context(), "poison")
			time.Sleep(notice + 10*time.Millisecond) // it counts as away, and our own token was asked about
		}
		time.Sleep(2*reviewTimeout + time.Second)
		if _, err := b.Authenticate(t.Context(), ownToken); err == nil {
			t.Error("our own token was let in")
		}
		for _, c := range b.server.seen() {
			if c.token == theToken && len(c.audiences) != 2 {
				t.Errorf("a caller's token was asked about for %q", c.audiences)
			}
		}
	})
}

func specOf(r *http.Request) authenticationv1.TokenReviewSpec {
	body, _ := r.GetBody()
	var review authenticationv1.TokenReview
	json.NewDecoder(body).Decode(&review)
	return review.Spec
}
