// Package certfile follows certificates that change while we run: the key pair
// of a listener, and the roots that servers are verified with.
//
// Whatever happens to a file, the last good contents stay in force.
package certfile

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
)

const certType = "CERTIFICATE"

// certBlocks returns the DER of the certificates in b. It refuses a file that
// was torn: encoding/pem skips a block without an end, and a bundle that lost
// some of its certificates would look like a good one.
func certBlocks(b []byte) ([][]byte, error) {
	begun := bytes.Count(b, []byte("-----BEGIN "+certType+"-----"))
	var blocks [][]byte
	for {
		var block *pem.Block
		if block, b = pem.Decode(b); block == nil {
			break
		}
		if block.Type == certType {
			blocks = append(blocks, block.Bytes)
		}
	}
	if len(blocks) < begun {
		return nil, errors.New("a certificate has no end or is no base64: the file is torn")
	}
	if len(blocks) == 0 {
		return nil, errors.New("the file has no PEM certificate")
	}
	return blocks, nil
}

// parseBundle returns the certificates in b, and how many it left out because
// crypto/x509 does not understand them. One such among the others is common in
// bundles of public CAs, and leaving it out trusts less, not more.
func parseBundle(b []byte) (certs []*x509.Certificate, skipped int, err error) {
	blocks, err := certBlocks(b)
	if err != nil {
		return nil, 0, err
	}
	for _, der := range blocks {
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			skipped++
			continue
		}
		certs = append(certs, cert)
	}
	if len(certs) == 0 {
		return nil, skipped, errors.New("the file has no certificate that can be parsed")
	}
	return certs, skipped, nil
}
