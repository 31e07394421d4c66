package scenarios

import (
	"encoding/json"
	"testing"

	"sallyport/e2e/caller"
	"sallyport/e2e/cluster"
	"sallyport/internal/config"
)

// farKeys is where no way leads to.
const farKeys = "https://10.77.9.9/openid/v1/jwks"

// Given an API server whose discovery document has a jwks_uri that no pod
// reaches,
// when a gate is started in each mode, and a pod calls with each of its tokens,
// then all is as ever: the gate takes the keys from the API server's own address.
func TestOwnUnreachableKeys(t *testing.T) {
	c := newCaller(t)
	t.Cleanup(func() { reconfigure(t, func(s *cluster.Settings) { s.JWKSURI = "" }) })
	reconfigure(t, func(s *cluster.Settings) { s.JWKSURI = farKeys })
	var document struct {
		JWKSURI string `json:"jwks_uri"`
	}
	data, err := world.client.RESTClient().Get().AbsPath("/.well-known/openid-configuration").DoRaw(t.Context())
	if err == nil {
		err = json.Unmarshal(data, &document)
	}
	if err != nil || document.JWKSURI != farKeys {
		t.Fatalf("discovery: %v: %s", err, data)
	}
	t.Run("gates", func(t *testing.T) {
		for _, mode := range []config.Mode{config.Hybrid, config.OIDC, config.TokenReview} {
			t.Run(string(mode), func(t *testing.T) {
				t.Parallel() // most of it is waiting for a pod
				g := deployWith(t, deciding(mode))
				tryTokens(t, g, c, mode)
				g.decidedBy(t, mode)
			})
		}
		t.Run("from a pod", func(t *testing.T) {
			t.Parallel()
			if a := c.call(t, caller.Request{URL: farKeys}); a.Error == "" {
				t.Errorf("a pod reaches %s: %v", farKeys, a)
			} else {
				t.Log(a.Took, a.Error)
			}
		})
	})
}
