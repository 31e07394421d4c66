package proxy

import (
	"net/http"
	"net/http/httputil"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// rewrite makes the request that the app gets. It runs after ReverseProxy has
// removed the hop-by-hop headers and whatever Connection named, so nothing that
// is set here can be named there and lost.
func (p *proxy) rewrite(pr *httputil.ProxyRequest) {
	x := exchangeOf(pr.In.Context())
	h := pr.Out.Header
	p.claims.removeFrom(h)
	lookalikeNames.removeFrom(h)
	p.setForwarding(h, x)
	if x.route.Public {
		overrideNames.removeFrom(h)
	}
	keepAuthorization(h, x.route)
	dropSocketTokens(h)
	delete(h, "Http2-Settings") // the other half of Upgrade: h2c
	for _, c := range x.claims {
		h[c.name] = c.values
	}
	x.target.send(pr.Out.URL, p.target)
	pr.Out.Host = pr.In.Host
	x.announceTrailers(pr.Out)
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
