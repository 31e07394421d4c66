package certfile

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"sallyport/internal/filewatch"
)

// A KeyPair is a certificate chain and its private key in two PEM files, or
// both in one. Its methods are safe for concurrent use, but for Run, which is
// to be called once.
type KeyPair struct {
	certFile, keyFile string
	log               *zap.Logger
	hints             <-chan struct{}
	current           atomic.Pointer[pair]
	trouble           filewatch.Trouble
}

// pair is never changed after Store.
type pair struct {
	contents digest
	cert     tls.Certificate
}

// OpenKeyPair reads the pair once, so that a wrong path or a key that does not
// fit stops the program at start. A nil hints means polling alone.
func OpenKeyPair(certFile, keyFile string, log *zap.Logger, hints <-chan struct{}) (*KeyPair, error) {
	k := &KeyPair{
		certFile: certFile, keyFile: keyFile, hints: hints,
		log: log.With(zap.String("cert_file", certFile), zap.String("key_file", keyFile)),
	}
	p, err := k.load()
	if err != nil {
		return nil, err
	}
	k.current.Store(p)
	return k, nil
}

// Run follows the files until ctx is done, and then returns nil. A pair that is
// torn, does not fit together or cannot be read is logged once, and the current
// one stays.
func (k *KeyPair) Run(ctx context.Context) error {
	return filewatch.Poll(ctx, k.look, k.hints, nil)
}

// GetCertificate returns the current pair, for [tls.Config]. It never fails.
func (k *KeyPair) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return &k.current.Load().cert, nil
}

// NotAfter returns when the current certificate expires.
func (k *KeyPair) NotAfter() time.Time {
	return k.current.Load().cert.Leaf.NotAfter
}

func (k *KeyPair) look() {
	p, err := k.load()
	if err != nil {
		k.trouble.Met(k.log, "cannot use the new certificate: the last good one stays in use", err)
		return
	}
	k.trouble.Over(k.log, "the certificate's files are good again")
	if p != k.current.Load() {
		k.current.Store(p)
		k.log.Info("certificate replaced", zap.Time("expires", k.NotAfter()))
	}
}

// load returns what the files hold, which is the current pair itself if they
// have not changed.
func (k *KeyPair) load() (*pair, error) {
	set, err := filewatch.ReadSet(filewatch.MaxFile, k.certFile, k.keyFile)
	if err != nil {
		return nil, err
	}
	sum := digestOf(set...)
	if p := k.current.Load(); p != nil && p.contents == sum {
		return p, nil
	}
	if _, err := certBlocks(set[0]); err != nil {
		return nil, fmt.Errorf("certificate %s: %w", k.certFile, err)
	}
	cert, err := tls.X509KeyPair(set[0], set[1])
	if err != nil {
		return nil, fmt.Errorf("certificate %s with key %s: %w", k.certFile, k.keyFile, err)
	}
	if cert.Leaf == nil { // GODEBUG=x509keypairleaf=0
		return nil, errors.New("crypto/tls did not parse the certificate")
	}
	return &pair{contents: sum, cert: cert}, nil
}
