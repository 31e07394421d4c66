package proxy

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"sallyport/internal/loopback"
)

const (
	// idleTimeout is below the 5 s after which Node.js and uvicorn close an idle
	// connection: if we close first, no request meets a closing one.
	idleTimeout = 4 * time.Second
	// maxIdle connections wait for their next request. Each has two buffers of
	// 4 KiB, so they are 2 MiB at most; net/http's default of 2 would make a
	// busy gate dial for almost every request.
	maxIdle = 256
	// continueTimeout is how long an app may think about Expect: 100-continue.
	// curl waits as long before it sends its body all the same.
	continueTimeout = time.Second
	// maxAnswerHeader is what net/http takes in a request by default. For
	// answers its own bound is 10 MiB.
	maxAnswerHeader = 1 << 20
	// pingAfter finds out that an HTTP/2 app is gone without a word. HTTP/1.1
	// has TCP's keep-alive for it.
	pingAfter = 15 * time.Second
)

// UpstreamOptions say where the app is and how to speak to it.
type UpstreamOptions struct {
	// URL has the scheme http, https, h2c (HTTP/2 in clear, with prior
	// knowledge) or unix, whose path is a socket's. Required.
	URL *url.URL
	// Roots returns the authorities that may have signed an https app's
	// certificate. It is asked at every handshake, so that it may change. Nil,
	// or a nil answer, means the system's.
	Roots func() *x509.CertPool
	// ServerName is the name in an https app's certificate; "" means URL's.
	ServerName string
	// HTTP1Only keeps an https app from choosing HTTP/2.
	HTTP1Only bool
	// ResponseHeaderTimeout is the longest wait between the end of a request
	// and the beginning of its answer; zero means no limit. It never applies to
	// WebSocket, event streams (Accept: text/event-stream) and gRPC.
	ResponseHeaderTimeout time.Duration
}

// A Transport carries requests to one app. It takes no proxy from the
// environment, follows no redirect, and compresses nothing.
type Transport struct {
	target *url.URL
	// light carries the most usual requests, for least; nil where it cannot.
	light *loopback.Transport
	plain *http.Transport // for most others
	// patient waits for its answers, however long.
	patient *http.Transport
	// upgrade is patient, and speaks HTTP/1.1 to an HTTP/2 app: the only
	// version with an Upgrade header.
	upgrade *http.Transport
}

// NewTransport returns a transport to the app that o describes. It does not
// dial.
func NewTransport(o UpstreamOptions) (*Transport, error) {
	if o.URL == nil {
		return nil, errors.New("proxy: an upstream needs a URL")
	}
	target := &url.URL{Scheme: "http", Host: o.URL.Host}
	one, many := new(http.Protocols), new(http.Protocols)
	one.SetHTTP1(true)
	switch o.URL.Scheme {
	case "http":
		many.SetHTTP1(true)
	case "https":
		target.Scheme = "https"
		many.SetHTTP1(true)
		many.SetHTTP2(!o.HTTP1Only)
	case "h2c":
		many.SetUnencryptedHTTP2(true)
	case "unix":
		many.SetHTTP1(true)
		target.Host = "app.invalid" // RFC 6761: nobody's; seen by no one but us
	default:
		return nil, fmt.Errorf("proxy: an upstream cannot have the scheme %q", o.URL.Scheme)
	}
	if o.URL.Scheme == "unix" && o.URL.Path == "" || o.URL.Scheme != "unix" && o.URL.Hostname() == "" {
		return nil, fmt.Errorf("proxy: the upstream %s:// says not where", o.URL.Scheme)
	}
	t := &Transport{target: target, patient: o.transport(many, 0), upgrade: o.transport(one, 0)}
	t.plain = t.patient
	if o.ResponseHeaderTimeout > 0 {
		t.plain = o.transport(many, o.ResponseHeaderTimeout)
	}
	if loopback.Supported && (o.URL.Scheme == "http" || o.URL.Scheme == "unix") {
		d := dialer{Dialer: net.Dialer{Timeout: dialTimeout}, options: o}
		return t, t.lighten(o, func(ctx context.Context) (net.Conn, error) { return d.dial(ctx, "tcp", address(o.URL)) })
	}
	return t, nil
}

func (t *Transport) lighten(o UpstreamOptions, dial func(context.Context) (net.Conn, error)) (err error) {
	t.light, err = loopback.New(loopback.Options{
		Dial:          dial,
		MaxIdle:       maxIdle,
		IdleTimeout:   idleTimeout,
		AnswerTimeout: o.ResponseHeaderTimeout,
		MaxHeader:     maxAnswerHeader,
	})
	return err
}

// address returns what to dial for an http URL.
func address(u *url.URL) string {
	return net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), "80"))
}

// Target returns the scheme and the host to send requests to.
func (t *Transport) Target() *url.URL { return t.target }

// RoundTrip implements http.RoundTripper.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	switch {
	case isWebSocket(r.Header):
		return t.upgrade.RoundTrip(r)
	case isGRPC(r.Header), wantsEvents(r.Header):
		return t.patient.RoundTrip(r)
	case t.light != nil:
		if res, err := t.light.RoundTrip(r); err != http.ErrSkipAltProtocol {
			return res, err
		}
	}
	return t.plain.RoundTrip(r)
}

func isGRPC(h http.Header) bool {
	return strings.HasPrefix(strings.ToLower(h.Get("Content-Type")), "application/grpc")
}

func wantsEvents(h http.Header) bool {
	for _, v := range h["Accept"] {
		if strings.Contains(strings.ToLower(v), "text/event-stream") {
			return true
		}
	}
	return false
}

// CloseIdleConnections closes the connections that carry no request.
func (t *Transport) CloseIdleConnections() {
	for _, rt := range []*http.Transport{t.plain, t.patient, t.upgrade} {
		rt.CloseIdleConnections()
	}
	if t.light != nil {
		t.light.CloseIdleConnections()
	}
}

func (o UpstreamOptions) transport(p *http.Protocols, headerTimeout time.Duration) *http.Transport {
	d := dialer{Dialer: net.Dialer{Timeout: dialTimeout}, options: o, protocols: p}
	return &http.Transport{
		Protocols:              p,
		DialContext:            d.dial,
		DialTLSContext:         d.dialTLS,
		DisableCompression:     true,
		MaxIdleConns:           maxIdle,
		MaxIdleConnsPerHost:    maxIdle,
		IdleConnTimeout:        idleTimeout,
		ExpectContinueTimeout:  continueTimeout,
		ResponseHeaderTimeout:  headerTimeout,
		MaxResponseHeaderBytes: maxAnswerHeader,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingAfter},
	}
}
