package proxy

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// The headers of which a trusted peer's values are kept. The apps that read
// X-Forwarded-* and those that read Forwarded are not the same, and two sources
// of truth are one too many: Forwarded (RFC 7239) is extended where a trusted
// peer sent it, and never begun.
const (
	xForwardedFor   = "X-Forwarded-For"
	xForwardedHost  = "X-Forwarded-Host"
	xForwardedProto = "X-Forwarded-Proto"
	xRealIP         = "X-Real-Ip"
	forwarded       = "Forwarded"
)

// forwardedHeaders are those of them that we set.
var forwardedHeaders = [...]string{xForwardedFor, xForwardedHost, xForwardedProto, xRealIP, forwarded}

// setForwarding says in out where x comes from: from the socket alone, or, if a
// trusted peer sent it, on top of what it says.
func (p *proxy) setForwarding(out http.Header, x *exchange, trusted bool) {
	var before http.Header
	if trusted {
		before = x.in.Header
	}
	proto := "http"
	if x.in.TLS != nil {
		proto = "https"
	}
	values := &[4]string{x.in.Host, proto}
	keep(out, before, xForwardedHost, values[0:1:1])
	keep(out, before, xForwardedProto, values[1:2:2])
	if !x.peer.IsValid() {
		return
	}
	peer := x.peer.String()
	values[2], values[3] = peer, extend(before[xForwardedFor], peer)
	keep(out, before, xRealIP, values[2:3:3])
	out[xForwardedFor] = values[3:4:4]
	if f := before[forwarded]; len(f) > 0 {
		out[forwarded] = []string{extend(f, forwardedElement(x.peer, x.in.Host, proto))}
	}
}

// keep sets name to what it was before, or else to values.
func keep(out, before http.Header, name string, values []string) {
	if was := before[name]; len(was) > 0 {
		values = was
	}
	out[name] = values
}

// extend appends a hop to a list, on one line.
func extend(before []string, hop string) string {
	if len(before) == 0 {
		return hop
	}
	return strings.Join(before, ", ") + ", " + hop
}

// trusts reports whether addr may say where its requests come from.
func (p *proxy) trusts(addr netip.Addr) bool {
	return addr.IsValid() && slices.ContainsFunc(p.trusted, func(n netip.Prefix) bool { return n.Contains(addr) })
}

// forwardedElement is our element of a Forwarded header, RFC 7239 section 4.
func forwardedElement(peer netip.Addr, host, proto string) string {
	node := peer.String()
	if peer.Is6() {
		node = `"[` + node + `]"`
	}
	host = strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(host)
	return "for=" + node + `;host="` + host + `";proto=` + proto
}
