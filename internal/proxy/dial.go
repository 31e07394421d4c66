package proxy

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"time"
)

const (
	// dialTimeout and handshakeTimeout are far above what an app in the same
	// pod needs, and below what callers wait.
	dialTimeout      = 5 * time.Second
	handshakeTimeout = 5 * time.Second
)

// A dialer opens connections to the app.
type dialer struct {
	net.Dialer
	options   UpstreamOptions
	protocols *http.Protocols
}

func (d *dialer) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if d.options.URL.Scheme == "unix" {
		network, addr = "unix", d.options.URL.Path
	}
	return d.DialContext(ctx, network, addr)
}

// dialTLS takes the roots of this moment, which tls.Config alone cannot.
func (d *dialer) dialTLS(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := d.dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{ServerName: d.options.ServerName}
	if config.ServerName == "" {
		config.ServerName = d.options.URL.Hostname()
	}
	if d.options.Roots != nil {
		config.RootCAs = d.options.Roots()
	}
	if d.protocols.HTTP2() {
		config.NextProtos = []string{"h2", "http/1.1"}
	}
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	client := tls.Client(conn, config)
	if err := client.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, err
	}
	return client, nil
}
