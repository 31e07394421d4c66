package proxy

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/gorilla/mux"
)

// A Route says what a path needs.
type Route struct {
	// Path is exact, or a prefix that ends in "/*": "/a/*" is every path that
	// begins with "/a/", and not "/a".
	//
	// A public route matches the very bytes of a request's path. A route that
	// needs a token also matches other spellings by which an app may know the
	// same path: encoded letters, another case, parameters after a semicolon
	// (to the next slash, or to the end), a slash at the end. So an exception
	// in front of a public prefix cannot be dodged by spelling.
	Path string
	// Methods are upper case; empty means all. A route that needs a token for
	// GET needs it for HEAD.
	Methods []string
	// Public needs no token.
	Public bool
	// ForwardAuthorization hands the caller's Authorization to the app, on a
	// public route unexamined.
	ForwardAuthorization bool
}

// A matcher is a Route made ready.
type matcher struct {
	*Route
	prefix bool
	path   string // without the star
	loose  loose
}

func newMatcher(r Route) (*matcher, error) {
	path, prefix := strings.CutSuffix(r.Path, "/*")
	if prefix {
		path += "/"
	}
	if what := oddity(path); what != "" {
		return nil, fmt.Errorf("route %q can never match: it has %s", r.Path, what)
	}
	if strings.ContainsAny(path, "*?") {
		return nil, fmt.Errorf("route %q: a path is exact, or a prefix that ends in /*", r.Path)
	}
	return &matcher{Route: &r, prefix: prefix, path: path, loose: loosen(path)}, nil
}

// Match implements mux.MatcherFunc.
func (m *matcher) Match(r *http.Request, _ *mux.RouteMatch) bool {
	x := exchangeOf(r.Context())
	if m.Public {
		return m.matchesMethod(r.Method) && m.matchesExactly(x.target.path)
	}
	if x.loose == (loose{}) {
		x.loose = loosen(x.target.path)
	}
	return m.matchesMethod(r.Method) && m.matchesLoosely(x.loose)
}

func (m *matcher) matchesExactly(path string) bool {
	if m.prefix {
		return strings.HasPrefix(path, m.path)
	}
	return path == m.path
}

func (m *matcher) matchesLoosely(path loose) bool {
	for i, p := range path {
		if p == m.loose[i] || m.prefix && strings.HasPrefix(p, strings.TrimSuffix(m.loose[i], "/")+"/") {
			return true
		}
	}
	return false
}

func (m *matcher) matchesMethod(method string) bool {
	if len(m.Methods) == 0 || slices.Contains(m.Methods, method) {
		return true
	}
	if m.Public {
		return false
	}
	if method == http.MethodHead {
		method = http.MethodGet
	}
	return slices.ContainsFunc(m.Methods, func(s string) bool { return strings.EqualFold(s, method) })
}

// loose has one spelling for all those that an app may take for the same path:
// to some, a segment ends at its semicolon, as in Java's servlets; to others the
// whole path ends at the first one, as in RFC 1808 section 2.4.5.
type loose [2]string

// loosen returns the spellings of a path, which must be canonical.
func loosen(path string) loose {
	decoded, err := url.PathUnescape(path)
	if err != nil {
		decoded = path
	}
	first, _, found := strings.Cut(decoded, ";")
	if !found {
		l := oneSpelling(decoded)
		return loose{l, l}
	}
	segments := strings.Split(decoded, "/")
	for i, s := range segments {
		segments[i], _, _ = strings.Cut(s, ";")
	}
	return loose{oneSpelling(strings.Join(segments, "/")), oneSpelling(first)}
}

// oneSpelling ignores case, and a slash at the end.
func oneSpelling(path string) string {
	path = strings.TrimSuffix(path, "/")
	if path == "" {
		return "/"
	}
	// Upper first: a few letters, as the long s, differ from a plain one in
	// lower case alone.
	return strings.ToLower(strings.ToUpper(path))
}

// setRoutes makes the routes ready.
func (p *proxy) setRoutes(o Options) (err error) {
	fallback := &door{p, &Route{ForwardAuthorization: o.ForwardAuthorization}}
	if o.ForwardOddPaths {
		p.odd = fallback
	}
	p.fallback = fallback
	if len(o.Routes) > 0 {
		p.routes, err = p.router(o.Routes, fallback)
	}
	return err
}

// router makes the routes ready, with fallback for what none of them matches.
//
// mux by itself would redirect unclean paths before any handler, match decoded
// bytes, and answer 404 and 405 without asking us: our matchers look at the raw
// bytes, and the last one takes everything.
func (p *proxy) router(routes []Route, fallback *door) (*mux.Router, error) {
	router := mux.NewRouter().SkipClean(true).UseEncodedPath()
	for _, r := range routes {
		m, err := newMatcher(r)
		if err != nil {
			return nil, err
		}
		router.NewRoute().MatcherFunc(m.Match).Handler(&door{p, m.Route})
	}
	router.NewRoute().MatcherFunc(func(*http.Request, *mux.RouteMatch) bool { return true }).Handler(fallback)
	return router, nil
}

// find returns the door in charge of r, or nil where its path is refused. The
// problem is why the path is not canonical; such a path is never public.
func (p *proxy) find(r *http.Request, x *exchange) (d *door, problem string) {
	if x.target, problem = targetOf(r); problem != "" {
		return nil, problem
	}
	if problem = oddity(x.target.path); problem != "" {
		return p.odd, problem
	}
	if p.routes == nil {
		return p.fallback, ""
	}
	// The router does not serve: it would copy the request twice, for variables
	// that nobody reads.
	var match mux.RouteMatch
	p.routes.Match(r.WithContext(context.WithValue(r.Context(), exchangeKey{}, x)), &match)
	return match.Handler.(*door), ""
}
