// Package apiserver reaches the cluster's API server: where it is, which roots
// it must prove itself to, and our own token on each request.
//
// Our token goes to the API server's address and to no other host, ever.
package apiserver

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"sallyport/internal/authn"
)

const (
	// Timeout bounds one call as a whole. Callers set shorter ones.
	Timeout = 10 * time.Second
	// maxIdle is how many connections are kept. The API server speaks HTTP/2,
	// so one carries everything; two bridge its closing.
	maxIdle = 2
)

// Roots are the certificates that the API server must prove itself to, reloaded
// while we run.
type Roots interface {
	// Roots returns the same pointer until the certificates change. It is never
	// nil, which would mean the system's roots.
	Roots() *x509.CertPool
	// Reread looks at the files at once and reports whether they changed.
	Reread() (changed bool)
}

// Options say how to reach the API server.
type Options struct {
	// Host is scheme://host:port.
	Host string
	// Roots is required.
	Roots Roots
	// Token returns our own token for each request. An error ends the request
	// before it is sent, as an [authn.Error] with the reason OwnToken.
	Token func() (string, error)
}

// New returns a client for the API server and no other host. It follows no
// redirect and reads no proxy from the environment: both would take our token
// elsewhere.
func New(o Options) (*http.Client, error) {
	host, err := url.Parse(o.Host)
	if err != nil || host.Scheme != "https" || host.Host == "" {
		return nil, fmt.Errorf("the API server's address %q is not https://host:port", o.Host)
	}
	if o.Roots == nil || o.Token == nil {
		return nil, errors.New("roots and a token are required")
	}
	return client(host.Host, &transport{roots: o.Roots, token: o.Token}), nil
}

func client(host string, rt http.RoundTripper) *http.Client {
	return &http.Client{
		Transport:     bounded{only{host, rt}},
		Timeout:       Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// transport adds our token, and follows the roots as they change.
type transport struct {
	roots Roots
	token func() (string, error)

	mu      sync.Mutex
	pool    *x509.CertPool
	current *http.Transport
}

// RoundTrip implements [http.RoundTripper].
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	token, err := t.token()
	if err != nil {
		closeBody(req)
		var ours *authn.Error
		if errors.As(err, &ours) && ours.Reason == authn.OwnToken {
			return nil, ours
		}
		return nil, authn.Unavailable(authn.OwnToken, "%v", err)
	}
	req = req.Clone(req.Context())
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := t.base().RoundTrip(req)
	var unverified *tls.CertificateVerificationError
	if errors.As(err, &unverified) {
		// The cluster's CA may have changed a moment ago.
		t.roots.Reread()
	}
	return resp, err
}

// base returns the transport for the roots of this moment. The one for former
// roots ends with its last request.
func (t *transport) base() *http.Transport {
	pool := t.roots.Roots()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.current == nil || pool != t.pool {
		if t.current != nil {
			t.current.CloseIdleConnections()
		}
		t.pool, t.current = pool, newTransport(&tls.Config{RootCAs: pool})
	}
	return t.current
}

func newTransport(c *tls.Config) *http.Transport {
	c.MinVersion = tls.VersionTLS12
	return &http.Transport{
		TLSClientConfig:     c,
		ForceAttemptHTTP2:   true,
		MaxIdleConnsPerHost: maxIdle,
		IdleConnTimeout:     90 * time.Second, // net/http's own default
		TLSHandshakeTimeout: 3 * time.Second,  // as long as a whole review may take
		// An HTTP/2 connection whose other end has vanished swallows requests
		// for minutes; pings find out within seconds.
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: 5 * time.Second, PingTimeout: 2 * time.Second},
		MaxResponseHeaderBytes: 64 << 10, // real ones have a few hundred bytes
	}
}
