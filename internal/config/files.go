package config

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// CheckFiles looks at the files that c names and that must be there at start:
// certificate and key, kubeconfig, and CAs. Its error is Errors, with every
// problem that there is. It does not look at TokenFile, which the kubelet may
// write later and which is waited for.
func (c *Config) CheckFiles() error {
	var errs Errors
	add := func(flag string, err error) {
		if err != nil {
			errs = append(errs, Problem{Where: "--" + flag, Text: err.Error()})
		}
	}
	add("upstream-ca-file", checkCA(c.Upstream.CAFile))
	if c.TLS.CertFile != "" {
		cert, key := checkPair(c.TLS.CertFile, c.TLS.KeyFile)
		add("tls-cert-file", cert)
		add("tls-key-file", key)
	}
	if c.Kubeconfig != "" {
		_, err := contents(c.Kubeconfig)
		add("kubeconfig", err)
	}
	add("issuer-ca-file", checkCA(c.IssuerCAFile))
	if len(errs) == 0 {
		return nil
	}
	return errs
}

// contents reads a file and says in one sentence why it cannot.
func contents(name string) ([]byte, error) {
	data, err := readFile(name)
	if err != nil {
		return nil, fmt.Errorf("%s cannot be read (%w): write the name of a file that can", name, cause(err))
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("%s is larger than 1 MiB: write the name of a smaller file", name)
	}
	return data, nil
}

// cause leaves out what an error of package os repeats: the call and the name.
func cause(err error) error {
	var in *fs.PathError
	if errors.As(err, &in) {
		return in.Err
	}
	return err
}

// checkCA demands one certificate at least that can be parsed, as the follower
// of CA files does. "" is no file.
func checkCA(name string) error {
	if name == "" {
		return nil
	}
	data, err := contents(name)
	if err != nil {
		return err
	}
	return checkCertificate(name, data)
}

func checkCertificate(name string, data []byte) error {
	err := errors.New("there is none in it")
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		if _, err = x509.ParseCertificate(block.Bytes); err == nil {
			return nil
		}
	}
	return fmt.Errorf("%s has no PEM certificate that can be used (%w): write the name of a file with one", name, err)
}

// checkPair says what is wrong with the certificate and what with the key. That
// they do not fit is told of the key.
func checkPair(certFile, keyFile string) (cert, key error) {
	certPEM, cert := contents(certFile)
	if cert == nil {
		cert = checkCertificate(certFile, certPEM)
	}
	keyPEM, key := contents(keyFile)
	if key == nil && !bytes.Contains(keyPEM, []byte("PRIVATE KEY-----")) {
		key = fmt.Errorf("%s has no PEM private key: write the name of a file with one", keyFile)
	}
	if cert != nil || key != nil {
		return cert, key
	}
	// The library's texts never hold what is in the files.
	if _, err := tls.X509KeyPair(certPEM, keyPEM); err != nil {
		key = fmt.Errorf("%s cannot be used with the certificate %s (%s): write the names of two that belong together",
			keyFile, certFile, strings.TrimPrefix(err.Error(), "tls: "))
	}
	return nil, key
}
