package proxy

import (
	"net/http"
	"strings"
)

// isHopByHop reports whether a header is for the next hop alone: what RFC 2616
// section 13.5.1 names, and Proxy-Connection, which some send. It is what
// ReverseProxy removes, in both directions. Connection names further ones.
func isHopByHop(name string) bool {
	switch name {
	case "Connection", "Proxy-Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization",
		"Te", "Trailer", "Transfer-Encoding", "Upgrade":
		return true
	}
	return false
}

// removeNamed removes from h what the Connection header of from names.
func removeNamed(h, from http.Header) {
	for _, line := range from["Connection"] {
		for name := range strings.SplitSeq(line, ",") {
			if name = strings.Trim(name, " \t"); name != "" {
				delete(h, http.CanonicalHeaderKey(name))
			}
		}
	}
}
