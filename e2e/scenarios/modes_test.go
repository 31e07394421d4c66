package scenarios

import (
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"

	"sallyport/internal/config"
)

// Given a gate of each mode, with the rights that the mode needs and no others,
// when a pod calls with each of the tokens that it can have,
// then what opens the gate is the same as in the example, and whoever decides by
// the mode has been asked.
func TestModes(t *testing.T) {
	t.Parallel()
	c := newCaller(t)
	// A group: the caller's pod has to stay until they are through.
	t.Run("gates", func(t *testing.T) {
		for _, mode := range []config.Mode{config.OIDC, config.TokenReview} {
			t.Run(string(mode), func(t *testing.T) {
				t.Parallel()
				g := deployWith(t, deciding(mode))
				tryTokens(t, g, c, mode)
				g.decidedBy(t, mode)
			})
		}
	})
}

// deciding makes a change for deployWith: a mode, and no rights but those that
// docs/modes.md says it needs.
func deciding(mode config.Mode) func(*manifest) {
	return func(m *manifest) {
		m.serve("--mode=" + string(mode))
		var rules []rbacv1.PolicyRule
		for _, r := range m.ClusterRole.Rules {
			reviews := len(r.Resources) > 0
			if mode == config.Hybrid || reviews == (mode == config.TokenReview) {
				rules = append(rules, r)
			}
		}
		m.ClusterRole.Rules = rules
	}
}

// decidedBy checks who was asked: the API server in all modes but oidc, the keys
// in all but tokenreview.
func (g *gate) decidedBy(t *testing.T, mode config.Mode) {
	t.Helper()
	reviews := g.metric(t, "sallyport_tokenreviews_total")
	if (reviews > 0) == (mode == config.OIDC) {
		t.Errorf("mode %s: %v reviews", mode, reviews)
	}
	fetches := g.metric(t, "sallyport_jwks_fetches_total", `issuer="cluster"`)
	good := g.metric(t, "sallyport_jwks_fetches_total", `issuer="cluster"`, `result="ok"`)
	if (good > 0) == (mode == config.TokenReview) || good != fetches {
		t.Errorf("mode %s: %v fetches of keys, %v good", mode, fetches, good)
	}
	t.Logf("mode %s: %v reviews, %v fetches of keys", mode, reviews, fetches)
}
