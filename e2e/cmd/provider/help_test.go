package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"sallyport/e2e/provider"
)

const (
	issuerName = "https://people.example"
	audience   = "orders"
)

var mara = provider.Person{
	Subject: "mara", Name: "Mara M", Groups: []string{"staff", "night shift"},
	Audience: []string{audience}, Life: time.Hour,
}

// A tested provider is asked as the scenarios and the gate ask it.
type tested struct {
	control *httptest.Server
	client  *http.Client // reaches the provider under its name
}

func start(t *testing.T) *tested {
	t.Helper()
	pair, roots := certificate(t, "people.example")
	c, err := newControl(issuerName, "127.0.0.1:0", pair)
	if err != nil {
		t.Fatal(err)
	}
	p := &tested{control: httptest.NewServer(c.handler()), client: &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, c.front.address)
		},
	}}}
	t.Cleanup(func() {
		p.client.CloseIdleConnections()
		p.control.Close()
		if err := c.front.behave(provider.Refuse); err != nil {
			t.Error(err)
		}
	})
	return p
}

// order tells the control something.
func (p *tested) order(t *testing.T, method, path string, in, out any) {
	t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), method, p.control.URL+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := p.control.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode == http.StatusOK {
		err = json.Unmarshal(data, out)
	}
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: %s, %v: %s", method, path, resp.Status, err, data)
	}
}

func (p *tested) token(t *testing.T, person provider.Person) (token string) {
	t.Helper()
	p.order(t, http.MethodPost, "/token", person, &token)
	return token
}

func (p *tested) behave(t *testing.T, b provider.Behaviour) {
	t.Helper()
	p.order(t, http.MethodPut, "/behaviour", b, &b)
}

// verify checks a token as somebody does who knows no key yet.
func (p *tested) verify(t *testing.T, token string) (*oidc.IDToken, error) {
	t.Helper()
	ctx := oidc.ClientContext(t.Context(), p.client)
	found, err := oidc.NewProvider(ctx, issuerName)
	if err != nil {
		t.Fatal("discovery: ", err)
	}
	return found.VerifierContext(ctx, &oidc.Config{ClientID: audience}).Verify(ctx, token)
}

func certificate(t *testing.T, name string) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{name}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, roots
}
