package certfile

import (
	"context"
	"crypto/x509"
	"errors"
	"io/fs"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"sallyport/internal/filewatch"
)

// A Pool holds the roots of one or more PEM bundles, and never the system's.
// Its methods are safe for concurrent use, but for Run, which is to be called
// once.
type Pool struct {
	hints <-chan struct{}
	roots atomic.Pointer[x509.CertPool]
	ready atomic.Bool

	mu      sync.Mutex // one reader at a time; guards what follows
	bundles []*bundle
	forced  time.Time
}

// OpenPool reads the files once. A file that holds no certificate, or cannot be
// read, is an error; all of them are reported. A missing file is none, as the
// one with the cluster's CA may be optional in its volume: Run waits for it,
// and until then [Pool.Ready] is false. A nil hints means polling alone.
func OpenPool(log *zap.Logger, hints <-chan struct{}, files ...string) (*Pool, error) {
	if len(files) == 0 {
		return nil, errors.New("no CA file is given")
	}
	p := &Pool{hints: hints}
	p.roots.Store(x509.NewCertPool())
	var errs []error
	for _, file := range files {
		b := &bundle{path: file, log: log.With(zap.String("ca_file", file))}
		p.bundles = append(p.bundles, b)
		changed, skipped, err := b.load()
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
			continue
		}
		b.tell(changed, skipped, err)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	p.publish()
	return p, nil
}

// Run follows the files until ctx is done, and then returns nil. What is wrong
// with a file is logged once, and the last good contents of that file stay.
func (p *Pool) Run(ctx context.Context) error {
	return filewatch.Poll(ctx, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.look()
	}, p.hints, nil)
}

// Roots returns the current roots: the same pointer until the contents change,
// and an empty pool, which trusts nobody, until there are any. The pool must
// not be changed.
func (p *Pool) Roots() *x509.CertPool { return p.roots.Load() }

// Ready reports whether each of the files was good once.
func (p *Pool) Ready() bool { return p.ready.Load() }

// forceEvery bounds what a stream of failing handshakes can cause.
const forceEvery = time.Second

// Reread reads the files now, and reports whether the roots changed. It does
// nothing if it did so less than a second ago, and then returns false; a change
// that Run found meanwhile shows in Roots.
//
// It is meant for a server whose certificate could not be verified.
func (p *Pool) Reread() (changed bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := time.Now(); now.Sub(p.forced) >= forceEvery {
		p.forced = now
		return p.look()
	}
	return false
}

// look reads each file and publishes the roots if one has changed.
func (p *Pool) look() (changed bool) {
	for _, b := range p.bundles {
		changed = b.look() || changed
	}
	if changed {
		p.publish()
	}
	return changed
}

func (p *Pool) publish() {
	roots, ready := x509.NewCertPool(), true
	for _, b := range p.bundles {
		for _, cert := range b.certs {
			roots.AddCert(cert)
		}
		ready = ready && len(b.certs) > 0
	}
	p.roots.Store(roots)
	p.ready.Store(ready)
}
