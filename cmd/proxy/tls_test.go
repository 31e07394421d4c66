package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// makeCertificate returns the files of a self-signed pair that names itself.
func makeCertificate(t testing.TB, name string, notAfter time.Time) map[string]string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: notAfter, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}, &x509.Certificate{Subject: pkix.Name{CommonName: name}}, key.Public(), key)
	must(t, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	return map[string]string{
		"tls.crt": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		"tls.key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})),
	}
}

// certified returns the flags for a listener with a certificate that is good for so
// long.
func certified(t testing.TB, left time.Duration) []string {
	t.Helper()
	dir := t.TempDir()
	writeCertificate(t, dir, "gate", time.Now().Add(left))
	return []string{"--tls-cert-file=" + filepath.Join(dir, "tls.crt"), "--tls-key-file=" + filepath.Join(dir, "tls.key")}
}

// writeCertificate writes one by renaming, as certificate tools do.
func writeCertificate(t testing.TB, dir, name string, notAfter time.Time) {
	t.Helper()
	for file, content := range makeCertificate(t, name, notAfter) {
		must(t, os.WriteFile(filepath.Join(dir, file+"~"), []byte(content), 0o600))
		must(t, os.Rename(filepath.Join(dir, file+"~"), filepath.Join(dir, file)))
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeCertificate(t, dir, "first", time.Now().Add(time.Hour))
	w := start(t, "--tls-cert-file="+filepath.Join(dir, "tls.crt"), "--tls-key-file="+filepath.Join(dir, "tls.key"))
	token := w.token()
	for _, tc := range []struct {
		proto string
		h2    bool
	}{{"HTTP/1.1", false}, {"HTTP/2.0", true}} {
		resp := w.secure(token, tc.h2)
		if resp.StatusCode != 200 || resp.Proto != tc.proto {
			t.Errorf("%s %d, want %s 200", resp.Proto, resp.StatusCode, tc.proto)
		}
	}
	if name := w.secure(token, true).TLS.PeerCertificates[0].Subject.CommonName; name != "first" {
		t.Errorf("the certificate is %q", name)
	}
	writeCertificate(t, dir, "second", time.Now().Add(time.Hour))
	w.eventually("reloaded", func() bool {
		return w.secure(token, false).TLS.PeerCertificates[0].Subject.CommonName == "second"
	})
	must(t, os.WriteFile(filepath.Join(dir, "tls.crt"), []byte("torn"), 0o600))
	time.Sleep(1200 * time.Millisecond)
	if name := w.secure(token, false).TLS.PeerCertificates[0].Subject.CommonName; name != "second" {
		t.Errorf("after a torn file the certificate is %q", name)
	}
	writeCertificate(t, dir, "expired", time.Now().Add(-time.Minute))
	w.eventually("unready", func() bool { code, _ := w.admin("/readyz"); return code == 503 })
}

// TestSuites speaks TLS 1.2 with one suite each.
func TestSuites(t *testing.T) {
	t.Parallel()
	w := start(t, certified(t, time.Hour)...)
	for _, tc := range []struct {
		suite uint16
		good  bool
	}{
		{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, true},
		{tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, true},
		{tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, true},
		{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, false},
	} {
		c, err := tls.Dial("tcp", w.gate.data.addr(), &tls.Config{
			InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tc.suite},
		})
		if good := err == nil; good != tc.good {
			t.Errorf("%s: %v", tls.CipherSuiteName(tc.suite), err)
		}
		if err == nil {
			c.Close()
		}
	}
}

// secure calls the gate over a new TLS connection.
func (w *world) secure(token string, h2 bool) *http.Response {
	w.t.Helper()
	tr := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, Protocols: new(http.Protocols)}
	tr.Protocols.SetHTTP1(!h2)
	tr.Protocols.SetHTTP2(h2)
	defer tr.CloseIdleConnections()
	req, err := http.NewRequest(http.MethodGet, "https://"+w.gate.data.addr()+"/", nil)
	must(w.t, err)
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := tr.RoundTrip(req)
	must(w.t, err)
	resp.Body.Close()
	return resp
}

func TestUnixSockets(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "sp") // a socket's path must be short
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	app, err := net.Listen("unix", filepath.Join(dir, "app"))
	must(t, err)
	go http.Serve(app, echoHandler())
	t.Cleanup(func() { app.Close() })
	w := start(t, "--listen=unix://"+filepath.Join(dir, "gate"), "--upstream=unix://"+filepath.Join(dir, "app"))
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(dir, "gate"))
	}}}
	defer client.CloseIdleConnections()
	req, _ := http.NewRequest(http.MethodGet, "http://gate/", nil)
	if a := w.do(client, req); a.code != 401 {
		t.Errorf("no token: %d", a.code)
	}
	req.Header.Set("Authorization", "Bearer "+w.token())
	if a := w.do(client, req); a.code != 200 {
		t.Errorf("a good token: %d %s", a.code, a.body)
	}
}

// HTTP/2 in clear, on both sides.
func TestH2C(t *testing.T) {
	t.Parallel()
	protos := make(chan string, 1)
	app := &http.Server{Protocols: new(http.Protocols), Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { protos <- r.Proto })}
	app.Protocols.SetUnencryptedHTTP2(true)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	go app.Serve(l)
	t.Cleanup(func() { app.Close() })
	w := start(t, "--upstream=h2c://"+l.Addr().String())
	tr := &http.Transport{Protocols: new(http.Protocols)}
	tr.Protocols.SetUnencryptedHTTP2(true)
	defer tr.CloseIdleConnections()
	req, _ := http.NewRequest(http.MethodGet, "http://"+w.gate.data.addr()+"/", nil)
	req.Header.Set("Authorization", "Bearer "+w.token())
	a := w.do(&http.Client{Transport: tr}, req)
	if a.code != 200 || <-protos != "HTTP/2.0" {
		t.Errorf("%d %s", a.code, a.body)
	}
}
