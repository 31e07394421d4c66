package proxy

import (
	"net/http"
	"net/http/httputil"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// rewrite makes the request that the app gets where ReverseProxy carries it.
func (p *proxy) rewrite(pr *httputil.ProxyRequest) {
	x := exchangeOf(pr.In.Context())
	upgrade := pr.Out.Header["Upgrade"] // nil unless it is one
	pr.Out.Header = p.header(pr.In.Header, x)
	if len(upgrade) > 0 {
		pr.Out.Header["Connection"], pr.Out.Header["Upgrade"] = []string{"Upgrade"}, upgrade
	}
	x.target.send(pr.Out.URL, p.target)
	pr.Out.Host = pr.In.Host
	x.announceTrailers(pr.Out)
}

// header returns the header of the request that the app gets: what may pass of the
// caller's, and ours. Values are shared with in, and not changed.
//
// What Connection names goes before ours comes, so that nothing of ours can be
// named there and lost.
func (p *proxy) header(in http.Header, x *exchange) http.Header {
	out := make(http.Header, len(in)+len(x.claims)+len(forwardedHeaders))
	trusted := p.trusts(x.peer)
	for name, values := range in {
		if p.mayPass(name, x.route, trusted) {
			out[name] = values
		}
	}
	removeNamed(out, in)
	if httpguts.HeaderValuesContainsToken(in["Te"], "trailers") {
		out["Te"] = teTrailers
	}
	p.setForwarding(out, x, trusted)
	keepAuthorization(out, x.route)
	dropSocketTokens(out)
	for _, c := range x.claims {
		out[c.name] = c.values
	}
	if _, ok := out["User-Agent"]; !ok {
		out["User-Agent"] = noAgent
	}
	return out
}

var (
	teTrailers = []string{"trailers"} // we pass them on, so we may say so
	noAgent    = []string{""}         // net/http would make one up
)

// mayPass reports whether a caller's header may go to the app.
func (p *proxy) mayPass(name string, route *Route, trusted bool) bool {
	switch {
	case isHopByHop(name), name == "Http2-Settings": // the other half of Upgrade: h2c
		return false
	case p.claims.has(name), lookalikeNames.has(name):
		return false
	case forwardingNames.has(name):
		return trusted && isPlain(name) && !(route.Public && overrideNames.has(name))
	}
	return !(route.Public && overrideNames.has(name))
}

// keepUpgrade lets WebSocket through and no other protocol: what we cannot read
// could carry requests that nobody checks (h2c smuggling). Without its Upgrade
// header a request is an ordinary one, as RFC 9110 section 7.8 allows, and wants
// for HTTP/1.0. It comes before ReverseProxy, which fails where it cannot print
// the protocol's name.
func keepUpgrade(r *http.Request) {
	if !isWebSocket(r.Header) || r.Method != http.MethodGet || r.ProtoMajor != 1 || r.ProtoMinor == 0 {
		delete(r.Header, "Upgrade")
	}
}

// isWebSocket reports whether h asks for, or agrees to, the protocol of RFC
// 6455 and nothing else.
func isWebSocket(h http.Header) bool {
	upgrade := h["Upgrade"]
	return len(upgrade) == 1 && strings.EqualFold(upgrade[0], "websocket") &&
		httpguts.HeaderValuesContainsToken(h["Connection"], "Upgrade")
}

// keepAuthorization removes the caller's token unless the route asks for it. On
// a public route other schemes are between the caller and the app.
func keepAuthorization(h http.Header, route *Route) {
	values := h["Authorization"]
	if route.ForwardAuthorization || len(values) == 0 {
		return
	}
	delete(h, "Authorization")
	if !route.Public {
		return
	}
	for _, v := range values {
		if !isBearer(v) {
			h["Authorization"] = append(h["Authorization"], v)
		}
	}
}

// isBearer reports whether any reader could take v for a bearer token.
func isBearer(v string) bool {
	const scheme = "bearer"
	v = strings.TrimSpace(v)
	return len(v) >= len(scheme) && strings.EqualFold(v[:len(scheme)], scheme) &&
		(len(v) == len(scheme) || !httpguts.IsTokenRune(rune(v[len(scheme)])))
}

// socketToken begins the WebSocket subprotocol in which Kubernetes' clients in
// browsers send a token (k8s.io/apiserver, pkg/authentication/request/websocket).
const socketToken = "base64url.bearer.authorization.k8s.io."

// dropSocketTokens removes tokens from the list of subprotocols. They are no
// credential here, and none of the app's business.
func dropSocketTokens(h http.Header) {
	const name = "Sec-Websocket-Protocol"
	var kept []string
	found := false
	for _, line := range h[name] {
		for protocol := range strings.SplitSeq(line, ",") {
			protocol = strings.TrimSpace(protocol)
			if strings.HasPrefix(strings.ToLower(protocol), socketToken) {
				found = true
			} else if protocol != "" {
				kept = append(kept, protocol)
			}
		}
	}
	switch {
	case !found:
	case len(kept) == 0:
		delete(h, name)
	default:
		h[name] = []string{strings.Join(kept, ", ")}
	}
}
