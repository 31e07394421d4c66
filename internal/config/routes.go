package config

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// maxRoutes is far more than a person writes; each costs a comparison for every
// request.
const maxRoutes = 1024

// A route is a Route and the place where it stands.
type route struct {
	Route
	where string
}

// setPublicPaths makes routes of the short form.
func setPublicPaths(l *loader, ws []written) {
	l.public = nil
	for _, w := range ws {
		if err := checkPattern(w.text); err != nil {
			l.fail(w.where, "%v", err)
			continue
		}
		l.public = append(l.public, route{Route: Route{Path: w.text, Public: true}, where: w.where})
	}
}

func (l *loader) routeList(n node) {
	n.list(maxRoutes, func(n node) {
		r := route{where: n.where()}
		bad := len(l.errs)
		n.object(map[string]field{
			"path":                 func(n node) { n.str(&r.Path) },
			"methods":              func(n node) { r.Methods = n.methods() },
			"public":               func(n node) { n.boolean(&r.Public) },
			"forwardAuthorization": func(n node) { n.boolean(&r.ForwardAuthorization) },
		}, nil)
		if len(l.errs) > bad {
			return
		}
		if err := checkPattern(r.Path); err != nil {
			n.fail("%v", err)
			return
		}
		l.routes = append(l.routes, r)
	})
}

// methods are upper case, as everybody writes them: methods are compared byte
// by byte (RFC 9110 section 9.1), and get would never match.
func (n node) methods() []string {
	var methods []string
	n.list(maxList, func(n node) {
		w, ok := n.scalar("!!str")
		switch {
		case !ok:
		case !httpguts.ValidHeaderFieldName(w.text): // both are an RFC 9110 token
			n.fail("%q is no method: write it like GET", w.text)
		case strings.ToUpper(w.text) != w.text:
			n.fail("%q is not in upper case: write %s", w.text, strings.ToUpper(w.text))
		case slices.Contains(methods, w.text):
			n.fail("%s is there twice: write it once", w.text)
		default:
			methods = append(methods, w.text)
		}
	})
	if len(n.Content) == 0 {
		n.fail("an empty list would match nothing: write methods, or take the field away for all")
	}
	return methods
}

// checkRoutes puts the routes together and refuses those that can never match.
func (l *loader) checkRoutes() {
	all := append(l.public, l.routes...)
	for i, r := range all {
		if by := coveredBy(r, all[:i]); by != nil {
			l.fail(r.where, "%s can never match, since %s (%s) comes first: write it before that, or take it away", r.Path, by.Path, by.where)
		}
		l.warnHole(r, all[i+1:])
		l.config.Routes = append(l.config.Routes, r.Route)
	}
}

// warnHole speaks of a path that needs a token inside a public one. The app may
// answer to more names of the path than the spellings that the gate knows.
func (l *loader) warnHole(r route, later []route) {
	if r.Public {
		return
	}
	for _, p := range later {
		if p.Public && matches(p.Path, r.Path) {
			l.warn(r.where, "%s needs a token, and so do its other spellings (other case, %%-escapes, ;parameters, a slash at the end), but whatever else the app takes for it is public by %s; better list the public paths one by one", r.Path, p.Path)
			return
		}
	}
}

// coveredBy returns the last of the earlier routes that together leave nothing
// for r, or nil.
func coveredBy(r route, earlier []route) *route {
	left := slices.Clone(r.Methods)
	for i := range earlier {
		e := &earlier[i]
		if !matches(e.Path, r.Path) {
			continue
		}
		if len(e.Methods) == 0 {
			return e
		}
		left = slices.DeleteFunc(left, func(m string) bool { return slices.Contains(e.Methods, m) })
		if len(r.Methods) > 0 && len(left) == 0 {
			return e
		}
	}
	return nil
}

// matches reports whether pattern matches everything that other does.
func matches(pattern, other string) bool {
	if prefix, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(strings.TrimSuffix(other, "*"), prefix)
	}
	return pattern == other
}

// checkPattern demands a path in the one spelling in which it is compared with
// the bytes that callers send: begins with a slash, canonical, and * only as /*
// at the end.
func checkPattern(p string) error {
	if p == "" {
		return fmt.Errorf("there is no path: write path: /exact or path: /prefix/*")
	}
	if p[0] != '/' {
		return fmt.Errorf("%q does not begin with a slash: write it with one", p)
	}
	if strings.Contains(strings.TrimSuffix(p, "/*"), "*") {
		return fmt.Errorf("%q has a * that is not the /* at its end: write an exact path, or a prefix with /*", p)
	}
	return checkCanonical(p)
}
