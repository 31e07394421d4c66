package proxy

import (
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// A target is what a request asks for, byte for byte as it came: rules look at
// these bytes, and these bytes are what the app gets.
type target struct {
	path  string // begins with "/"; nothing in it is decoded
	query string // with its "?"; empty where there is none
}

// targetOf returns r's target, or says why r cannot be forwarded to anybody. It
// reads RequestURI and not URL, which is decoded and forgets some spellings.
func targetOf(r *http.Request) (target, string) {
	path, query := r.RequestURI, ""
	if i := strings.IndexByte(path, '?'); i >= 0 {
		path, query = path[:i], path[i:]
	}
	t := target{path: path, query: query}
	if !strings.HasPrefix(path, "/") {
		// RFC 9112 section 3.2.2: a server must accept the absolute form.
		// HTTP/2 has none.
		if r.ProtoMajor != 1 || r.URL.Host == "" {
			return t, "the target is not a path"
		}
		_, rest, _ := strings.Cut(path, "://")
		t.path = "/"
		if i := strings.IndexByte(rest, '/'); i >= 0 {
			t.path = rest[i:]
		}
	}
	switch {
	case r.Method == http.MethodConnect:
		return t, "CONNECT is not for a reverse proxy"
	case !httpguts.ValidHeaderFieldName(r.Method):
		// Possible in HTTP/2. A method is a token, as a header's name is (RFC
		// 9110 section 9.1).
		return t, "the method is not valid"
	case strings.IndexByte(r.RequestURI, ' ') >= 0:
		// Possible in HTTP/2; in HTTP/1.1 it would end the target.
		return t, "a space in the target"
	case !httpguts.ValidHostHeader(r.Host):
		return t, "the host is not valid"
	case !t.agrees(r.URL):
		return t, "the target is ambiguous"
	case strings.HasPrefix(t.path, "//") && (&url.URL{Path: r.URL.Path, RawPath: t.path}).EscapedPath() != t.path:
		return t, "the target cannot be forwarded as it is" // see send
	}
	return t, ""
}

// agrees reports whether net/url has understood the same path. If it has not,
// one of us is wrong, and nobody should forward it.
func (t target) agrees(u *url.URL) bool {
	decoded, err := url.PathUnescape(t.path)
	return err == nil && (decoded == u.Path || t.path == "/" && u.Path == "")
}

// send makes u ask to's scheme and host for t.
func (t target) send(u *url.URL, to *url.URL) {
	u.Scheme, u.Host, u.User = to.Scheme, to.Host, nil
	u.RawQuery = strings.TrimPrefix(t.query, "?")
	u.ForceQuery = t.query == "?"
	u.RawPath = t.path
	if u.Path == "" {
		u.Path = "/"
	}
	if u.EscapedPath() != t.path {
		// net/url would encode some bytes that it finds unusual, like a quote.
		// Opaque is sent as it is, but not if it begins with "//".
		u.Opaque = t.path
	}
}
