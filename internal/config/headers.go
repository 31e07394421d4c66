package config

import (
	"net/textproto"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// defaultHeaders are those of Kubernetes' front proxies
// (requestheader-username-headers and its siblings).
var defaultHeaders = Headers{
	User:        "X-Remote-User",
	Group:       "X-Remote-Group",
	UID:         "X-Remote-Uid",
	ExtraPrefix: "X-Remote-Extra-",
}

// taken are headers with a meaning of their own, in folded form. An identity in
// one of them would break the request or be broken by it; whatever callers send
// under our names is removed.
var taken = map[string]bool{
	"connection": true, "keep-alive": true, "proxy-connection": true, "te": true, "trailer": true,
	"transfer-encoding": true, "upgrade": true, "proxy-authenticate": true, "proxy-authorization": true,
	"authorization": true, "www-authenticate": true, "host": true, "cookie": true, "expect": true,
	"origin": true, "range": true, "accept": true, "forwarded": true, "via": true, "x-real-ip": true,
	"x-forwarded-for": true, "x-forwarded-host": true, "x-forwarded-proto": true,
	"x-forwarded-port": true, "x-forwarded-prefix": true, "x-forwarded-server": true,
}

// takenPrefixes go with taken.
var takenPrefixes = []string{"content-", "accept-", "if-", "sec-", "access-control-", "http2-"}

// fold makes one spelling of all those that an app may take for the same name:
// CGI and what descends from it make - and _ one.
func fold(name string) string { return strings.ReplaceAll(strings.ToLower(name), "_", "-") }

func (l *loader) headers(n node) {
	h := &l.config.Headers
	n.object(map[string]field{
		"user":        func(n node) { n.header(&h.User) },
		"group":       func(n node) { n.header(&h.Group) },
		"uid":         func(n node) { n.header(&h.UID) },
		"extraPrefix": func(n node) { n.header(&h.ExtraPrefix) },
	}, nil)
	if !strings.HasSuffix(h.ExtraPrefix, "-") {
		n.fail("extraPrefix is %s: write it with a - at its end", h.ExtraPrefix)
	}
	names := []string{h.User, h.Group, h.UID}
	seen := map[string]bool{}
	for _, name := range names {
		if seen[fold(name)] {
			n.fail("%s is there twice, for an app that takes - and _ for the same: write different names", name)
		}
		seen[fold(name)] = true
		if strings.HasPrefix(fold(name), fold(h.ExtraPrefix)) {
			n.fail("%s begins with extraPrefix %s, and a caller's extra could pass for it: write another", name, h.ExtraPrefix)
		}
	}
}

// header reads a name, in canonical form.
func (n node) header(to *string) {
	w, ok := n.scalar("!!str")
	if !ok {
		return
	}
	if !httpguts.ValidHeaderFieldName(w.text) {
		n.fail("%q is no header name: write letters, digits and -, like X-Remote-User", w.text)
		return
	}
	if isTaken(w.text) {
		n.fail("%s has a meaning of its own in HTTP: write another name, like X-Remote-User", w.text)
		return
	}
	*to = textproto.CanonicalMIMEHeaderKey(w.text)
}

func isTaken(name string) bool {
	name = fold(name)
	for _, prefix := range takenPrefixes {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return taken[name]
}
