package minicluster

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"
)

const (
	// maxAge is when a token is replaced however long it lives
	// (pkg/kubelet/token/token_manager.go).
	maxAge = 24 * time.Hour
	// maxJitter and syncPeriod are the kubelet's. Shorter lives than a real
	// cluster gives out (600 s) shrink them in proportion, so that a life of
	// seconds goes through the same phases.
	maxJitter  = 10 * time.Second
	syncPeriod = time.Minute
	minRealTTL = minTTL * time.Second
)

// scale shrinks one of the kubelet's times to a short life.
func (k *Kubelet) scale(d time.Duration) time.Duration {
	ttl := min(max(k.mount.Request.ttl(), time.Second), minRealTTL)
	return time.Duration(float64(d) * float64(ttl) / float64(minRealTTL))
}

// refresh gets another token when it is time. An old token that has not expired
// does where there is no new one.
func (k *Kubelet) refresh(force bool) error {
	if !force && !k.due(time.Now()) {
		return nil
	}
	fresh, err := k.cluster.requestToken(k.mount.Request)
	switch {
	case err == nil:
		k.cached = fresh
		return nil
	case force || k.cached.token == "":
		return err
	case time.Now().After(k.cached.expires):
		return fmt.Errorf("the token expired and refresh failed: %w", err)
	default:
		return nil
	}
}

// due reports whether the token is a day old or in the last fifth of its life,
// give or take the jitter.
func (k *Kubelet) due(now time.Time) bool {
	if k.cached.token == "" {
		return true
	}
	ttl := k.mount.Request.ttl()
	// The kubelet cuts its jitter down to whole seconds: 0 to 9.
	jitter := rand.N(time.Duration(10)) * k.scale(maxJitter) / 10
	iat := k.cached.expires.Add(-ttl)
	return now.After(iat.Add(maxAge-jitter)) || now.After(k.cached.expires.Add(-ttl/5-jitter))
}

// requestToken is a TokenRequest by the kubelet. It meets the faults of Tokens:
// whatever they are, the kubelet gets no token.
func (c *Cluster) requestToken(req Request) (issued, error) {
	r, err := http.NewRequest(http.MethodPost, "/api/v1/namespaces/"+req.Namespace+"/serviceaccounts/"+req.ServiceAccount+"/token", nil)
	if err != nil {
		return issued{}, fmt.Errorf("minicluster: %w", err)
	}
	c.counts.add(Tokens, r)
	if f, _ := c.faults.of(r, Tokens); f.Hang || f.Down || f.Status != 0 || f.Body != "" {
		return issued{}, errors.New("the API server gives no token")
	}
	return c.issue(req)
}
