package scenarios

import (
	"testing"
	"time"

	"sallyport/e2e/cluster"
)

// Given a gate and a caller,
// when the API server gets a new first issuer, with the old one accepted still,
// then old tokens stay good and new ones are good at once; and so it is when it
// goes back.
func TestOwnIssuer(t *testing.T) {
	for _, mode := range []string{"hybrid", "oidc", "tokenreview"} {
		t.Run(mode, func(t *testing.T) {
			g, c := troubled(t, mode)
			before := c.request(t, gateAudience)
			g.admits(t, c, before, 0)

			t.Cleanup(func() { reconfigure(t, func(s *cluster.Settings) { s.Issuers = []string{cluster.Issuer} }) })
			issuer := "https://" + mode + ".issuer.example"
			reconfigure(t, func(s *cluster.Settings) { s.Issuers = []string{issuer, cluster.Issuer} })

			after := c.request(t, gateAudience)
			t.Logf("new issuer: first token let in after %v", g.admits(t, c, after, backTime).Round(time.Millisecond))
			for range 3 { // also after the next review
				g.admits(t, c, before, 0)
				g.admits(t, c, after, 0)
				time.Sleep(recheck)
			}
			g.unchanged(t)
		})
	}
}
