package proxy

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/net/http/httpguts"
)

var (
	// requestLine is RFC 9112 section 3, as an app must take it.
	requestLine = regexp.MustCompile("^([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([^ \\t\\r\\n]+) HTTP/1\\.1\r\n")
	// originOf is what a server must take of an absolute target (section 3.2.2):
	// all behind the authority (RFC 3986 appendix B).
	originOf = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*(.*)$`)
	// A plain target is one that nobody can misread. HTTP/2 has no absolute ones.
	plainTarget = regexp.MustCompile(`^(/[a-z0-9_-]+)+(\?[a-z0-9=&]*)?$`)
	absolute    = regexp.MustCompile(`^(http://[a-z]+)?(/[a-z0-9_-]+)+(\?[a-z0-9=&]*)?$`)
)

// originForm returns the target that an app should see.
func originForm(target string) string {
	m := originOf.FindStringSubmatch(target)
	switch {
	case strings.HasPrefix(target, "/") || m == nil:
		return target
	case strings.HasPrefix(m[1], "/"):
		return m[1]
	}
	return "/" + m[1]
}

// What is matched is what is forwarded: the app gets the target that the caller
// sent, byte for byte, or it gets nothing. And it gets nothing of a caller
// without a token unless the path, however the app may read it, lies in the
// public route and not in the one before it that needs a token.
func FuzzPath(f *testing.F) {
	for _, p := range append(oddPaths, canonicalPaths...) {
		f.Add("GET", p, "/public/secret", "/public/*")
		f.Add("GET", "/public"+p+"?x=1;y=%zz", "/a/*", "/*")
	}
	w := newWire(f)
	f.Fuzz(func(t *testing.T, method, target, hole, public string) {
		o := Options{Authenticator: admitSecret, Routes: []Route{{Path: hole}, {Path: public, Public: true}}, ForwardOddPaths: true}
		if len(target) > 4<<10 || strings.Contains(method+target, "\n") || w.use(o) != nil {
			return // another line is another header; such a route is an error at start
		}
		want := originForm(target)
		path, _, _ := strings.Cut(want, "?")
		open := isOpen(path, hole, public)
		for _, via := range []struct {
			say   func(t *testing.T, method, target string, h ...string) []string
			plain *regexp.Regexp
		}{{w.sayHTTP1, absolute}, {w.sayHTTP2, plainTarget}} {
			unknown, known := via.say(t, method, target), via.say(t, method, target, "Authorization: Bearer "+secret)
			for _, head := range append(unknown, known...) {
				if m := requestLine.FindStringSubmatch(head); m == nil || m[1] != method || m[2] != want {
					t.Errorf("%s %q is sent as %q", method, target, head)
				}
			}
			if len(unknown) > 1 || len(known) > 1 {
				t.Errorf("%s %q is sent as %q, %q", method, target, unknown, known)
			}
			if len(unknown) > 0 && !open {
				t.Errorf("%s %q arrives without a token; %s needs one, and all but %s", method, target, hole, public)
			}
			if via.plain.MatchString(target) && method == http.MethodGet && (len(known) < 1 || open && len(unknown) < 1) {
				t.Errorf("%q does not arrive: %q, %q", target, unknown, known)
			}
		}
	})
}

// sayHTTP1 sends a target, and returns what the app got.
func (w *wire) sayHTTP1(t *testing.T, method, target string, headers ...string) []string {
	_, got := w.ask(t, method+" "+target+" HTTP/1.1\r\n"+lines(append(headers, "Host: a", "Connection: close", "-")...)+"\r\n")
	return got
}

// sayHTTP2 hands a target on as net/http's server for HTTP/2 does
// (h2_bundle.go, newWriterAndRequest), without the frames.
func (w *wire) sayHTTP2(t *testing.T, method, target string, headers ...string) []string {
	u, err := url.ParseRequestURI(target)
	if err != nil || method == "" || method == http.MethodConnect || !httpguts.ValidHeaderFieldValue(method+target) {
		return nil
	}
	r := &http.Request{Method: method, RequestURI: target, URL: u, Host: "a", Proto: "HTTP/2.0", ProtoMajor: 2, Header: http.Header{}, Body: http.NoBody}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	w.ServeHTTP(httptest.NewRecorder(), r)
	return w.taken()
}

// Whatever an app does to a canonical path, it finds nothing there to take away,
// and the rules hold. FuzzPath says so of the bytes, at a tenth of the speed.
func FuzzRules(f *testing.F) {
	for _, p := range append(oddPaths, canonicalPaths...) {
		f.Add("/public"+p, "/public/secret", "/public/*")
		f.Add("/a/b"+p, "/a/b/*", "/a/*")
	}
	f.Add("/public/secret;x/y", "/public/secret", "/public/*")
	f.Fuzz(func(t *testing.T, path, hole, public string) {
		h, err1 := newMatcher(Route{Path: hole})
		p, err2 := newMatcher(Route{Path: public, Public: true})
		if err1 != nil || err2 != nil || oddity(path) != "" || len(path+hole+public) > 256 {
			return
		}
		if open := p.matchesExactly(path) && !h.matchesLoosely(loosen(path)); open && !isOpen(path, hole, public) {
			t.Errorf("%q is let through without a token; %s needs one, and all but %s", path, hole, public)
		}
		for _, read := range []string{path, decode(path), params(path), params(decode(path))} {
			for _, s := range []step{beforeNUL, slashes, mergeSlashes, removeDots} {
				if s(read) != read {
					t.Errorf("%q, read as %q, may become %q", path, read, s(read))
				}
			}
		}
	})
}

// isOpen reports whether a path is public under every reading.
func isOpen(path, hole, public string) bool {
	hole, deepHole := strings.CutSuffix(hole, "*")
	public, deep := strings.CutSuffix(public, "*")
	if path != public && !(deep && strings.HasPrefix(path, public)) {
		return false
	}
	return eachReading([]string{path, hole, public}, apps, func(read []string) bool {
		return liesIn(read[0], read[2], deep) && !liesIn(read[0], read[1], deepHole)
	})
}
