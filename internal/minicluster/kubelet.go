package minicluster

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
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

// A Mount is what a pod asks of the kubelet: a token in a projected volume, and
// what stands beside it.
type Mount struct {
	// Dir is the volume's directory.
	Dir string
	// Request is the token. A TTL below 600 s is taken as it is.
	Request Request
	// File is the token's name. Default: token.
	File string
	// Files are further files, asked for whenever the volume is looked at; nil
	// means none. The CA belongs here: Files of kube-api-access are ca.crt and
	// namespace.
	Files func() map[string][]byte
	// OnRotate, unless nil, is told of each new token, after it is in the
	// volume. The first has an old token of "".
	OnRotate func(old, fresh string)
}

// A Kubelet keeps the token of one volume fresh.
type Kubelet struct {
	// Stuck makes it do nothing of its own accord.
	Stuck atomic.Bool

	cluster *Cluster
	volume  *Volume
	mount   Mount

	mu      sync.Mutex
	cached  issued
	written string
}

// Mount writes the volume for the first time. Nothing refreshes the token until
// [Kubelet.Run].
func (c *Cluster) Mount(m Mount) (*Kubelet, error) {
	if m.File == "" {
		m.File = "token"
	}
	v, err := NewVolume(m.Dir)
	if err != nil {
		return nil, err
	}
	k := &Kubelet{cluster: c, volume: v, mount: m}
	return k, k.sync(false)
}

// Path returns the path under which the pod reads the token.
func (k *Kubelet) Path() string { return k.volume.Path(k.mount.File) }

// Run looks at the volume every 60 to 90 s (every tenth of the TTL, where that
// is below 600 s) until the context ends, and returns nil then. What fails is
// tried again the next time.
func (k *Kubelet) Run(ctx context.Context) error {
	period := k.scale(syncPeriod)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(period + rand.N(period/2)):
		}
		if !k.Stuck.Load() {
			_ = k.sync(false) // the old token stays
		}
	}
}

// RotateNow replaces the token, whatever its age. The error is that the cluster
// gave none; the old one stays.
func (k *Kubelet) RotateNow() error { return k.sync(true) }

// scale shrinks one of the kubelet's times to a short life.
func (k *Kubelet) scale(d time.Duration) time.Duration {
	ttl := min(max(k.mount.Request.ttl(), time.Second), minRealTTL)
	return time.Duration(float64(d) * float64(ttl) / float64(minRealTTL))
}

func (k *Kubelet) sync(force bool) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.refresh(force); err != nil {
		return err
	}
	files := map[string][]byte{k.mount.File: []byte(k.cached.token)}
	if k.mount.Files != nil {
		for name, content := range k.mount.Files() {
			files[name] = content
		}
	}
	if err := k.volume.Write(files); err != nil {
		return err
	}
	if old := k.written; old != k.cached.token {
		k.written = k.cached.token
		if k.mount.OnRotate != nil {
			k.mount.OnRotate(old, k.written)
		}
	}
	return nil
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
