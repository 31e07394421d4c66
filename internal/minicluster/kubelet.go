package minicluster

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
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
