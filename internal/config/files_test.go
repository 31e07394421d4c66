package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCheckFiles(t *testing.T) {
	dir := t.TempDir()
	cert, key := pemPair(t)
	_, other := pemPair(t)
	for name, text := range map[string]string{
		"cert": cert, "key": key, "other": other, "junk": "junk", "two": key + cert,
		"torn": cert[:len(cert)/2], "bad": strings.Replace(cert, "\nMI", "\nAA", 1), "mixed": strings.Replace(cert, "\nMI", "\nAA", 1) + cert,
		"badkey": strings.Replace(key, "\nMI", "\nAA", 1), "large": strings.Repeat("#", maxFile+1),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ cert, key, kubeconfig, issuerCA, appCA, want string }{
		{want: ""},
		{cert: "cert", key: "key", kubeconfig: "junk", issuerCA: "cert", appCA: "mixed", want: ""},
		{cert: "two", key: "two", want: ""},
		{cert: "none", key: "key", want: "--tls-cert-file: DIR/none cannot be read (no such file or directory)"},
		{cert: "cert", key: "none", want: "--tls-key-file: DIR/none cannot be read (no such file or directory)"},
		{cert: "key", key: "cert", want: "--tls-cert-file: DIR/key has no PEM certificate|--tls-key-file: DIR/cert has no PEM private key"},
		{cert: "torn", key: "key", want: "--tls-cert-file: DIR/torn has no PEM certificate that can be used (there is none in it)"},
		{cert: "cert", key: "other", want: "--tls-key-file: DIR/other cannot be used with the certificate DIR/cert (private key does not match public key)"},
		{cert: "cert", key: "badkey", want: "--tls-key-file: DIR/badkey cannot be used with the certificate DIR/cert (failed to parse private key)"},
		{kubeconfig: "none", want: "--kubeconfig: DIR/none cannot be read"},
		{kubeconfig: ".", want: "--kubeconfig: DIR cannot be read (not a regular file)"},
		{issuerCA: "junk", want: "--issuer-ca-file: DIR/junk has no PEM certificate"},
		{issuerCA: "large", want: "--issuer-ca-file: DIR/large is larger than 1 MiB"},
		{appCA: "bad", want: "--upstream-ca-file: DIR/bad has no PEM certificate that can be used (x509: "},
		{"none", "none", "none", "none", "none", "--upstream-ca-file: |--tls-cert-file: |--tls-key-file: |--kubeconfig: |--issuer-ca-file: "},
	} {
		in := func(name string) string {
			if name == "" {
				return ""
			}
			return filepath.Join(dir, name)
		}
		config := &Config{
			TLS: TLS{CertFile: in(c.cert), KeyFile: in(c.key)}, Kubeconfig: in(c.kubeconfig), IssuerCAFile: in(c.issuerCA),
			Upstream: Upstream{CAFile: in(c.appCA)}, TokenFile: in("none"), TokenFileSet: true,
		}
		err := config.CheckFiles()
		var got Errors
		if err != nil && !errors.As(err, &got) {
			t.Fatalf("%+v: %T, want Errors", c, err)
		}
		var want []string
		if c.want != "" {
			want = strings.Split(strings.ReplaceAll(c.want, "DIR", dir), "|")
		}
		ok := len(got) == len(want)
		for i := 0; ok && i < len(want); i++ {
			ok = strings.HasPrefix(got[i].Error(), want[i])
		}
		if !ok {
			t.Errorf("got %v\nwant %q", err, want)
		}
		if err != nil && strings.Contains(err.Error(), key[40:60]) {
			t.Errorf("the problem shows the key: %v", err)
		}
	}
}
