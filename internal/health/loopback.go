package health

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// fromLoopback reports whether the socket's other end is on this machine, as
// far as its address tells. No header is looked at. Whatever is no address of
// an IP socket is not: a unix socket's peer is asked for by [byUnixSocket].
func fromLoopback(r *http.Request) bool {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && peer.Addr().IsLoopback()
}

// byUnixSocket reports whether r came by a unix socket, whose file's mode says
// who may use it.
func byUnixSocket(r *http.Request) bool {
	local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	return ok && local.Network() == "unix"
}

// namesLoopback reports whether a Host header names this machine and nothing
// that a DNS server can answer for: "localhost" or a loopback address, with or
// without a port.
func namesLoopback(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	} else if strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") {
		host = host[1 : len(host)-1]
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Zone() == "" && addr.IsLoopback()
}
