package certfile

import (
	"crypto/x509"
	"fmt"

	"go.uber.org/zap"

	"sallyport/internal/filewatch"
)

// bundle is one CA file.
type bundle struct {
	path     string
	log      *zap.Logger
	contents digest              // of certs
	certs    []*x509.Certificate // the last good ones; none if there never were
	trouble  filewatch.Trouble
}

// look reads the file, and replaces the certificates if there are other good
// ones. On error they stay.
func (b *bundle) look() (changed bool) {
	changed, skipped, err := b.load()
	b.tell(changed, skipped, err)
	return changed
}

// tell logs what load returned: a problem once, however often it is met.
func (b *bundle) tell(changed bool, skipped int, err error) {
	switch {
	case err != nil && len(b.certs) == 0:
		b.trouble.Met(b.log, "no CA certificates yet: waiting for the file", err)
	case err != nil:
		b.trouble.Met(b.log, "cannot use the CA file: its last good certificates stay in use", err)
	default:
		b.trouble.Over(b.log, "the CA file is good again")
	}
	if changed {
		b.log.Info("CA certificates loaded", zap.Int("certificates", len(b.certs)), zap.Int("not_understood", skipped))
	}
}

// load does what look does, and says nothing.
func (b *bundle) load() (changed bool, skipped int, err error) {
	pem, err := filewatch.Read(b.path, filewatch.MaxFile)
	if err != nil {
		return false, 0, err
	}
	sum := digestOf(pem)
	if sum == b.contents {
		return false, 0, nil
	}
	certs, skipped, err := parseBundle(pem)
	if err != nil {
		return false, 0, fmt.Errorf("CA file %s: %w", b.path, err)
	}
	b.contents, b.certs = sum, certs
	return true, skipped, nil
}
