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
		body, err := r.GetBody()
		if err != nil {
			return nil, err
		}
		var review authenticationv1.TokenReview
		raw, _ := io.ReadAll(body)
		if err := json.Unmarshal(raw, &review); err != nil {
			return nil, err
		}
		if strings.HasPrefix(review.Spec.Token, "poison") {
			return a(r)
		}
		return yes(r)
	}
}
