package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

const upstreamForms = "http://host:port, https://host:port, h2c://host:port or unix:///path"

// parseUpstream reads the address of the app.
func parseUpstream(s string) (*url.URL, error) {
	if name, ok := strings.CutPrefix(s, "unix:"); ok {
		socket, err := parseSocket(name)
		if err != nil {
			return nil, err
		}
		return &url.URL{Scheme: "unix", Path: socket.Name}, nil
	}
	if !strings.Contains(s, "://") {
		return nil, fmt.Errorf("%q has no scheme: write %s", s, upstreamForms)
	}
	u, err := url.Parse(s)
	if err != nil {
		// The library's text repeats s, and s may hold a password.
		return nil, fmt.Errorf("this is no URL: write %s", upstreamForms)
	}
	switch u.Scheme {
	case "http", "https", "h2c":
	default:
		return nil, fmt.Errorf("the scheme %q is not known: write %s", u.Scheme, upstreamForms)
	}
	if err := checkHost(u); err != nil {
		return nil, err
	}
	if u.User != nil {
		return nil, errors.New("there is a user name or password in it: take it away, the app is not logged in to")
	}
	if strings.ContainsAny(s, "?#") || u.Path != "" && u.Path != "/" {
		return nil, fmt.Errorf("callers' paths and queries go to the app unchanged: write %s://%s alone", u.Scheme, u.Host)
	}
	return &url.URL{Scheme: u.Scheme, Host: u.Host}, nil
}

// checkHost demands a host that can be dialled, and a port, if there is one,
// that is a number.
func checkHost(u *url.URL) error {
	host, port := u.Hostname(), u.Port()
	if _, err := netip.ParseAddr(host); err != nil && !isHostname(host) {
		return fmt.Errorf("%q is no host: write a name or an IP address after ://", host)
	}
	if n, err := strconv.ParseUint(port, 10, 16); strings.HasSuffix(u.Host, ":") || port != "" && (err != nil || n == 0) {
		return fmt.Errorf("%q is no port: write a number from 1 to 65535, or none", port)
	}
	return nil
}

// Local reports whether what is sent to the app stays on this machine, or in
// this pod.
func (u Upstream) Local() bool {
	return u.URL.Scheme == "unix" || isLoopback(u.URL.Hostname())
}

// Address is what is dialled. One of TCP has a port.
func (u Upstream) Address() Address {
	if u.URL.Scheme == "unix" {
		return Address{Network: "unix", Name: u.URL.Path}
	}
	port := u.URL.Port()
	if port == "" {
		port = map[string]string{"http": "80", "h2c": "80", "https": "443"}[u.URL.Scheme]
	}
	return Address{Network: "tcp", Name: net.JoinHostPort(u.URL.Hostname(), port)}
}
