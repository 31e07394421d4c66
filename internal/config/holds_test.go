package config

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"reflect"
	"strings"
	"testing"
	"time"
)

// holds says in other words what a valid configuration never does.
func holds(t *testing.T, c *Config) {
	t.Helper()
	check := func(ok bool, what string) {
		if !ok {
			t.Errorf("%s: %+v", what, c)
		}
	}
	check(len(c.Audiences) > 0, "no audience")
	check(c.TLS.CertFile != "" || c.TLS.Off || c.Listen.Network == "unix" || loopback(c.Listen.Name), "tokens in clear")
	check((c.TLS.CertFile == "") == (c.TLS.KeyFile == ""), "half a key pair")
	check(c.DebugListen.Network == "unix" || loopback(c.DebugListen.Name), "debug listener for everybody")
	check(c.Leeway >= 0 && c.Leeway <= time.Minute, "leeway")
	check(c.Recheck >= time.Second && c.MaxStale >= 0, "recheck, max-stale")
	check(c.KeyRefresh.Interval > 0 && c.KeyRefresh.Cooldown > 0 && c.KeyRefresh.RemovalPause > 0, "key refresh")
	check(c.Mode != TokenReview || c.WhenUnavailable != ServeVerified, "nothing verified")
	l := c.Limits
	check(l.Connections >= 16 && l.InFlight >= 16 && l.Streams >= 1 && l.HeaderBytes > 16<<10 && l.Headers >= 32, "limits")
	check(l.InFlightPerCaller >= 1 && l.InFlightPerCaller < l.InFlight, "limit per caller")
	check(l.ReadHeaderTimeout >= time.Second && l.IdleTimeout >= time.Second, "timeouts")
	for _, r := range c.Routes {
		check(strings.HasPrefix(r.Path, "/") && !strings.Contains(r.Path, "//") && !strings.Contains(r.Path, "/../"), "route")
	}
	for _, j := range c.JWT {
		check(strings.HasPrefix(j.URL, "https://") && len(j.Audiences) > 0 && j.Username.Claim != "", "jwt")
		check(!strings.HasPrefix(j.Username.Prefix, "system:") && !strings.HasPrefix(j.Groups.Prefix, "system:"), "prefix")
	}
	check(c.Headers.User != "" && c.Headers.Group != "" && c.Headers.UID != "" && c.Headers.ExtraPrefix != "", "headers")
	check(c.TokenFile != "" && c.LogLevel != "" && c.LogFormat != "" && c.Upstream.URL != nil, "defaults")
}

func loopback(name string) bool {
	name = strings.ToLower(name)
	for _, prefix := range []string{"127.", "[::1]:", "localhost:", "[::ffff:127.", "[::ffff:7f", "[0:0:0:0:0:0:0:1]:"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// FuzzFile: no file makes Load panic, and one that is valid says the same when
// it is read again, and keeps the promises of holds.
func FuzzFile(f *testing.F) {
	f.Add([]byte("audiences: [a]\ntls: off\n"))
	f.Add([]byte("audiences: [a]\nlisten: 127.0.0.1:0\nroutes: [{path: /a/*, public: true}]\nheaders: {user: X-A}\n"))
	f.Add([]byte("a: &a [*a]\n<<: {}\n? [x]\n: y\n"))
	f.Add([]byte("jwt: [{issuer: {url: https://a, audiences: [b]}, claimMappings: {username: {claim: c, prefix: ''}}}]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		first, err := loadText(string(data))
		if err != nil {
			errs, ok := err.(Errors)
			if !ok || len(errs) == 0 {
				t.Fatalf("%T %v", err, err)
			}
			for _, p := range errs {
				if strings.Contains(p.Where, "\n") || strings.Contains(p.Text, "%!") && !strings.Contains(string(data), "%!") {
					t.Errorf("%q", p)
				}
			}
			return
		}
		holds(t, first)
		second, err := loadText(string(data))
		if err != nil || !reflect.DeepEqual(first, second) {
			t.Errorf("again: %v\n%+v\n%+v", err, first, second)
		}
	})
}

// pemPair makes a certificate and its key.
func pemPair(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}))
}
