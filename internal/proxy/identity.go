package proxy

import (
	"net/http"
	"strings"

	"golang.org/x/net/http/httpguts"

	"sallyport/internal/authn"
)

// CheckIdentity refuses an identity that no header could tell the app without
// changing it. It must come before forwarding: the transport would refuse such
// a header too, but that would look like a broken app. The handler does it by
// itself.
func CheckIdentity(id authn.Identity) error {
	if id.Subject == "" {
		return &failure{reason: authn.Internal, detail: "an identity without a subject"}
	}
	if !isFaithful(id.Subject) || !isFaithful(id.UID) {
		return authn.Refuse(authn.Claims, "the subject or uid is no header value")
	}
	for _, g := range id.Groups {
		if !isFaithful(g) {
			return authn.Refuse(authn.Claims, "a group is no header value")
		}
	}
	for key, values := range id.Extra {
		if key == "" {
			return authn.Refuse(authn.Claims, "an extra key is empty")
		}
		for _, v := range values {
			if !isFaithful(v) {
				return authn.Refuse(authn.Claims, "a value of extra is no header value")
			}
		}
	}
	return nil
}

// isFaithful reports whether v arrives as it is. White space around a value is
// lost on the way (RFC 9110 section 5.5), which would make " admin" admin.
func isFaithful(v string) bool {
	return httpguts.ValidHeaderFieldValue(v) && strings.TrimSpace(v) == v
}

// set tells the app who is calling, as Kubernetes' front proxies do (client-go,
// transport/round_trippers.go, SetAuthProxyHeaders). An empty group or uid says
// nothing and is left out.
func (n HeaderNames) set(h http.Header, id authn.Identity) {
	h[n.User] = []string{id.Subject}
	if id.UID != "" {
		h[n.UID] = []string{id.UID}
	}
	groups := make([]string, 0, len(id.Groups))
	for _, g := range id.Groups {
		if g != "" {
			groups = append(groups, g)
		}
	}
	if len(groups) > 0 {
		h[n.Group] = groups
	}
	for key, values := range id.Extra {
		name := n.ExtraPrefix + escapeKey(key)
		for _, v := range values {
			h.Add(name, v)
		}
	}
}

// escapeKey makes a header name of a key: every byte that a name cannot have is
// percent-encoded, and the percent sign itself.
func escapeKey(key string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(key) {
		if c := key[i]; c != '%' && c < 0x80 && httpguts.IsTokenRune(rune(c)) {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		}
	}
	return b.String()
}
