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

// setForwarding rebuilds in out what says where x comes from: from the socket
// alone, or, if a trusted peer sent it, on top of what it says.
func (p *proxy) setForwarding(out http.Header, x *exchange) {
	trusted := p.trusts(x.peer)
	for name := range out {
		if forwardingNames.has(name) && !(trusted && isPlain(name)) {
			delete(out, name)
		}
	}
	var before http.Header
	if trusted {
		before = x.in.Header
	}
	proto := "http"
	if x.in.TLS != nil {
		proto = "https"
	}
	keep(out, before, xForwardedHost, x.in.Host)
	keep(out, before, xForwardedProto, proto)
	if !x.peer.IsValid() {
		return
	}
	peer := x.peer.String()
	keep(out, before, xRealIP, peer)
	out[xForwardedFor] = extend(before[xForwardedFor], peer)
	if f := before[forwarded]; len(f) > 0 {
		out[forwarded] = extend(f, forwardedElement(x.peer, x.in.Host, proto))
	}
}

// keep sets name to what it was before, or else to value.
func keep(out, before http.Header, name, value string) {
	if values := before[name]; len(values) > 0 {
		out[name] = slices.Clone(values)
	} else {
		out[name] = []string{value}
	}
}

// extend appends a hop to a list, on one line.
func extend(before []string, hop string) []string {
	if len(before) == 0 {
		return []string{hop}
	}
	return []string{strings.Join(before, ", ") + ", " + hop}
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
