package config

import (
	"fmt"
	"net"
	"net/netip"
	"path"
	"strconv"
	"strings"
)

// maxSocketPath is the longest path of a unix socket in bytes: sun_path holds
// 104 on macOS and 108 on Linux, with a NUL at the end.
const maxSocketPath = 103

// An Address is a place to listen on or to connect to, as [net.Listen] takes
// it.
type Address struct {
	Network string // tcp or unix
	Name    string // host:port, or a socket's absolute path
}

// ParseAddress reads host:port, :port, [v6]:port or unix:///path. The port is
// a number; 0 lets the system choose one.
func ParseAddress(s string) (Address, error) {
	if name, ok := strings.CutPrefix(s, "unix:"); ok {
		return parseSocket(name)
	}
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return Address{}, fmt.Errorf("%q is no address: write host:port, :port or unix:///path", s)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || strconv.FormatUint(n, 10) != port {
		return Address{}, fmt.Errorf("%q is no port: write a number from 0 to 65535 after the colon", port)
	}
	if _, err := netip.ParseAddr(host); err != nil && host != "" && !isHostname(host) {
		return Address{}, fmt.Errorf("%q is no host: write an IP address or a name before the colon", host)
	}
	return Address{Network: "tcp", Name: s}, nil
}

func parseSocket(s string) (Address, error) {
	name, ok := strings.CutPrefix(s, "//")
	switch {
	case !ok || !path.IsAbs(name) || name == "/":
		return Address{}, fmt.Errorf("%q has no absolute path: write unix:///path/to/socket", "unix:"+s)
	case path.Clean(name) != name || hasControl(name):
		return Address{}, fmt.Errorf("%q is not in its shortest form: write unix://%s", name, strconv.QuoteToGraphic(path.Clean(name)))
	case len(name) > maxSocketPath:
		return Address{}, fmt.Errorf("the socket's path has %d bytes: the system takes %d, write a shorter one", len(name), maxSocketPath)
	}
	return Address{Network: "unix", Name: name}, nil
}

// String is the form that ParseAddress takes.
func (a Address) String() string {
	if a.Network == "unix" {
		return "unix://" + a.Name
	}
	return a.Name
}

// Local reports whether only this machine, or this pod, can reach the address:
// a unix socket, a loopback address, or the name localhost.
func (a Address) Local() bool {
	if a.Network == "unix" {
		return true
	}
	host, _, err := net.SplitHostPort(a.Name)
	return err == nil && isLoopback(host)
}

// collides reports whether the two cannot both be listened on.
func (a Address) collides(b Address) bool {
	if a.Network != b.Network || a.Network == "unix" {
		return a == b
	}
	ahost, aport, _ := net.SplitHostPort(a.Name)
	bhost, bport, _ := net.SplitHostPort(b.Name)
	if aport != bport || aport == "0" {
		return false
	}
	if strings.EqualFold(ahost, "localhost") || strings.EqualFold(bhost, "localhost") {
		// The name may stand for any loopback address.
		return isLoopback(ahost) && isLoopback(bhost) || isAny(ahost) || isAny(bhost)
	}
	return ahost == bhost || isAny(ahost) || isAny(bhost)
}

// isLoopback takes localhost at its word. Every resolver that Go uses does so
// too, see RFC 6761 section 6.3.
func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

func isAny(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "" || err == nil && ip.Unmap().IsUnspecified()
}

// isHostname is RFC 1123 section 2.1, and the underscore that some networks
// have. A name of digits and dots alone is a mistyped address.
func isHostname(s string) bool {
	letters := false
	for label := range strings.SplitSeq(strings.TrimSuffix(s, "."), ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, c := range []byte(label) {
			letter := 'a' <= c|0x20 && c|0x20 <= 'z' || c == '_'
			if !letter && c != '-' && (c < '0' || c > '9') {
				return false
			}
			letters = letters || letter
		}
	}
	return letters && len(s) <= 253
}

func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r == 0x7f })
}
