package apiserver

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestInCluster(t *testing.T) {
	for _, tc := range []struct {
		host, port, want string
	}{
		{"10.96.0.1", "443", "https://10.96.0.1:443"},
		{"fd00:10:96::1", "443", "https://[fd00:10:96::1]:443"},
		{"kubernetes.default.svc", "6443", "https://kubernetes.default.svc:6443"},
		{"", "443", ""},
		{"10.96.0.1", "", ""},
		{"", "", ""},
	} {
		t.Setenv("KUBERNETES_SERVICE_HOST", tc.host)
		t.Setenv("KUBERNETES_SERVICE_PORT", tc.port)
		got, err := InCluster()
		if got != tc.want || errors.Is(err, ErrNotInCluster) != (tc.want == "") {
			t.Errorf("%q %q: %q, %v; want %q", tc.host, tc.port, got, err, tc.want)
		}
	}
}

// kubeconfig writes a kubeconfig of one context and returns its path.
func kubeconfig(t *testing.T, cluster, user string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kubeconfig")
	text := fmt.Sprintf(`{"apiVersion": "v1", "kind": "Config", "current-context": "x",
"contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
"clusters": [{"name": "c", "cluster": {%s}}], "users": [{"name": "u", "user": {%s}}]}`, cluster, user)
	write(t, path, text)
	return path
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func certificatePEM(der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func base64PEM(pem string) string { return base64.StdEncoding.EncodeToString([]byte(pem)) }

func read(t *testing.T, path string) *Kubeconfig {
	t.Helper()
	k, err := ReadKubeconfig(path)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestKubeconfigWithEmbeddedCA(t *testing.T) {
	s := serve(t, ok)
	ca := base64PEM(certificatePEM(s.Certificate().Raw))
	k := read(t, kubeconfig(t, fmt.Sprintf(`"server": %q, "certificate-authority-data": %q`, s.URL, ca), `"token": "theirs"`))
	if k.Host() != s.URL || k.CAFile() != "" {
		t.Errorf("host %q, CA file %q", k.Host(), k.CAFile())
	}
	r, err := k.Roots()
	if err != nil || !r.Roots().Equal(s.pool()) || r.Reread() {
		t.Errorf("the roots are not the kubeconfig's, or change: %v", err)
	}
	c, err := k.Client()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := get(t, c, s.URL); err != nil || s.authorization.Load() != "Bearer theirs" {
		t.Errorf("err = %v, Authorization = %v", err, s.authorization.Load())
	}
}

func TestKubeconfigWithCAFile(t *testing.T) {
	s := serve(t, ok)
	path := kubeconfig(t, fmt.Sprintf(`"server": %q, "certificate-authority": "ca.crt"`, s.URL), `"token": "t"`)
	ca := filepath.Join(filepath.Dir(path), "ca.crt")
	write(t, ca, certificatePEM(s.Certificate().Raw))
	k := read(t, path)
	if k.CAFile() != ca {
		t.Errorf("CA file %q, want %q: a relative path counts from the kubeconfig", k.CAFile(), ca)
	}
	if _, err := k.Roots(); err == nil {
		t.Error("no error for roots that the kubeconfig does not hold")
	}
	c, err := k.Client()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := get(t, c, s.URL); err != nil {
		t.Error(err)
	}
}

func TestKubeconfigClientGoesNowhereElse(t *testing.T) {
	other := serve(t, ok)
	s := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL, http.StatusFound) })
	ca := base64PEM(certificatePEM(s.Certificate().Raw) + certificatePEM(other.Certificate().Raw))
	k := read(t, kubeconfig(t, fmt.Sprintf(`"server": %q, "certificate-authority-data": %q`, s.URL, ca), `"token": "t"`))
	c, err := k.Client()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := get(t, c, other.URL); err == nil {
		t.Error("the credential may go to another host")
	}
	if _, err := get(t, c, s.URL); err != nil {
		t.Error(err)
	}
	if s.calls.Load() != 1 || other.calls.Load() != 0 {
		t.Errorf("%d calls here and %d there, want 1 and 0", s.calls.Load(), other.calls.Load())
	}
}

func TestKubeconfigClientCertificate(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.TLS.PeerCertificates[0].SerialNumber)
	}))
	s.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	s.StartTLS()
	defer s.Close()
	cert, key := selfSigned(t, 42)
	k := read(t, kubeconfig(t,
		fmt.Sprintf(`"server": %q, "certificate-authority-data": %q`, s.URL, base64PEM(certificatePEM(s.Certificate().Raw))),
		fmt.Sprintf(`"client-certificate-data": %q, "client-key-data": %q`, base64PEM(cert), base64PEM(key))))
	c, err := k.Client()
	if err != nil {
		t.Fatal(err)
	}
	if body, err := get(t, c, s.URL); err != nil || body != "42" {
		t.Errorf("the server saw the certificate %q, %v", body, err)
	}
}

func selfSigned(t *testing.T, serial int64) (cert, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(serial), NotAfter: time.Now().Add(time.Hour),
	}, &x509.Certificate{}, k.Public(), k)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return certificatePEM(der), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}))
}

// A pod's own settings must not be taken where the operator named a file.
func TestReadKubeconfigRefuses(t *testing.T) {
	t.Setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1")
	t.Setenv("KUBERNETES_SERVICE_PORT", "443")
	empty := filepath.Join(t.TempDir(), "empty")
	write(t, empty, "")
	garbage := filepath.Join(t.TempDir(), "garbage")
	write(t, garbage, "{]")
	for name, tc := range map[string]struct{ path, want string }{
		"missing":   {filepath.Join(t.TempDir(), "none"), "none"},
		"empty":     {empty, empty},
		"garbage":   {garbage, garbage},
		"in clear":  {kubeconfig(t, `"server": "http://127.0.0.1:8001"`, ``), "not https://host:port"},
		"no scheme": {kubeconfig(t, `"server": "127.0.0.1:8001"`, ``), "not https://host:port"},
		"no server": {kubeconfig(t, ``, ``), ""},
		"unproven":  {kubeconfig(t, `"server": "https://127.0.0.1:1", "insecure-skip-tls-verify": true`, ``), "insecure-skip-tls-verify"},
		"no CA file": {kubeconfig(t, `"server": "https://127.0.0.1:1", "certificate-authority": "/none"`, ``),
			"certificate-authority"},
	} {
		k, err := ReadKubeconfig(tc.path)
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %+v, err = %v, want one with %q", name, k, err, tc.want)
		}
	}
}

func TestBadCredentials(t *testing.T) {
	k := read(t, kubeconfig(t, `"server": "https://127.0.0.1:1"`, `"client-certificate-data": "eA==", "client-key-data": "eA=="`))
	if _, err := k.Client(); err == nil {
		t.Error("no error for a certificate that is none")
	}
}
