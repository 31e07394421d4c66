package proxy

import (
	"fmt"
	"net/http"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// HeaderNames are the headers that tell the app who is calling. The zero value
// means Kubernetes' own (its front proxies' defaults).
type HeaderNames struct {
	User        string // default X-Remote-User
	Group       string // default X-Remote-Group, one line a group
	UID         string // default X-Remote-Uid
	ExtraPrefix string // default X-Remote-Extra-
}

// complete returns n with its defaults, in canonical form.
func (n HeaderNames) complete() (HeaderNames, error) {
	for _, f := range []struct {
		name *string
		std  string
	}{
		{&n.User, "X-Remote-User"}, {&n.Group, "X-Remote-Group"},
		{&n.UID, "X-Remote-Uid"}, {&n.ExtraPrefix, "X-Remote-Extra-"},
	} {
		if *f.name == "" {
			*f.name = f.std
		}
		if !httpguts.ValidHeaderFieldName(*f.name) || reservedNames.has(*f.name) {
			return n, fmt.Errorf("%q cannot be the name of an identity header", *f.name)
		}
		*f.name = http.CanonicalHeaderKey(*f.name)
	}
	names := []string{n.User, n.Group, n.UID}
	for i, name := range names {
		if foldedPrefix(name, fold(n.ExtraPrefix)) {
			return n, fmt.Errorf("the header %s begins with the prefix %s: an extra key could pose as it", name, n.ExtraPrefix)
		}
		if fold(name) == fold(names[(i+1)%len(names)]) {
			return n, fmt.Errorf("two identity headers have the name %s", name)
		}
	}
	return n, nil
}

// A nameSet is a set of header names in which spelling does not count: case
// does not, and any byte that is neither letter nor digit is a dash. CGI, WSGI
// and PHP fold names so, and to an app behind them X_Remote_User is
// X-Remote-User.
type nameSet struct {
	exact    []string // folded
	prefixes []string // folded
}

func (s nameSet) has(name string) bool {
	for _, p := range s.prefixes {
		if foldedPrefix(name, p) {
			return true
		}
	}
	for _, e := range s.exact {
		if len(e) == len(name) && foldedPrefix(name, e) {
			return true
		}
	}
	return false
}

// removeFrom removes from h every header whose name is in s.
func (s nameSet) removeFrom(h http.Header) {
	for name := range h {
		if s.has(name) {
			delete(h, name)
		}
	}
}

// claimNames are those with which a caller could claim to be somebody, to us,
// to an app behind another front proxy, or to the API server.
func claimNames(n HeaderNames) nameSet {
	return nameSet{
		prefixes: []string{"x-remote-", "impersonate-", fold(n.ExtraPrefix)},
		exact: []string{
			"x-forwarded-user", "x-forwarded-group", "x-forwarded-groups", "x-forwarded-email",
			"x-forwarded-preferred-username", fold(n.User), fold(n.Group), fold(n.UID),
		},
	}
}

var (
	// forwardingNames say where a request comes from, or which path it was
	// for. Only a trusted peer is believed.
	forwardingNames = nameSet{
		prefixes: []string{"x-forwarded-"},
		exact: []string{
			"forwarded", "x-forwarded", "x-real-ip",
			// Symfony, IIS and others take these for the path of the request,
			// so that a public path would open every other.
			"x-original-url", "x-original-uri", "x-rewrite-url",
		},
	}
	// overrideNames make an app take a request for one of another method or
	// path, and no public route is public for that. They go from there whoever
	// sent them: a trusted peer that does not know them hands on a caller's.
	overrideNames = nameSet{exact: []string{
		"x-http-method-override", "x-http-method", "x-method-override",
		"x-original-url", "x-original-uri", "x-rewrite-url", "x-forwarded-uri", "x-forwarded-path",
	}}
	// lookalikeNames are other spellings of what frames a message, and the header
	// in which a CGI program finds the variable HTTP_PROXY (CVE-2016-5385). How a
	// message is framed is the transport's to say.
	lookalikeNames = nameSet{exact: []string{"content-length", "transfer-encoding", "proxy"}}
	// reservedNames frame a message, route it, or carry a credential. They are
	// no names for identity headers, and RFC 9110 section 6.5.1 wants none of
	// them in a trailer.
	reservedNames = nameSet{
		prefixes: []string{"proxy-"},
		exact: []string{
			"authorization", "connection", "content-encoding", "content-length", "content-range", "content-type",
			"cookie", "expect", "forwarded", "host", "http2-settings", "keep-alive", "te", "trailer",
			"transfer-encoding", "upgrade", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip",
		},
	}
)

// fold returns the one spelling of all those that a nameSet takes for the same.
func fold(name string) string {
	b := []byte(name)
	for i, c := range b {
		b[i] = foldByte(c)
	}
	return string(b)
}

// foldedPrefix reports whether name, folded, begins with prefix, which is.
func foldedPrefix(name, prefix string) bool {
	if len(name) < len(prefix) {
		return false
	}
	for i := range len(prefix) {
		if foldByte(name[i]) != prefix[i] {
			return false
		}
	}
	return true
}

func foldByte(c byte) byte {
	switch {
	case 'a' <= c && c <= 'z' || '0' <= c && c <= '9':
		return c
	case 'A' <= c && c <= 'Z':
		return c + 'a' - 'A'
	}
	return '-'
}

// isPlain reports whether name has but letters, digits and dashes, so that it
// is the one spelling that everybody understands.
func isPlain(name string) bool {
	return strings.IndexFunc(name, func(r rune) bool {
		return r != '-' && (r > 'z' || foldByte(byte(r)) == '-')
	}) < 0
}
