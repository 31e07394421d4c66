package proxy

import (
	"net/http"
	"strings"
	"testing"

	"sallyport/internal/authn"
)

// Whatever WayOf says, the handler does.
func TestWay(t *testing.T) {
	o := Options{
		Routes: []Route{
			{Path: "/public/secret"},
			{Path: "/public/*", Public: true},
			{Path: "/hook", Methods: []string{"POST"}, Public: true, ForwardAuthorization: true},
			{Path: "/mine/*", ForwardAuthorization: true},
		},
	}
	odd := o
	odd.ForwardOddPaths = true
	for _, c := range []struct {
		o              Options
		method, target string
		route          string
		public, refuse bool
		problem        string
	}{
		{o, "GET", "/", "", false, false, ""},
		{o, "GET", "/public/a?b=c", "/public/*", true, false, ""},
		{o, "GET", "/public", "", false, false, ""},
		{o, "GET", "/public/secret", "/public/secret", false, false, ""},
		{o, "GET", "/PUBLIC/secret/", "/public/secret", false, false, ""},
		{o, "POST", "/hook", "/hook", true, false, ""},
		{o, "GET", "/hook", "", false, false, ""},
		{o, "GET", "/mine/x", "/mine/*", false, false, ""},
		{o, "GET", "/public/%2e%2e/admin", "", false, true, "an encoded slash, dot or backslash"},
		{o, "GET", "/public//a", "", false, true, "an empty segment"},
		{odd, "GET", "/public//a", "", false, false, "an empty segment"},
		{o, "GET", "public", "", false, true, "no method and target of HTTP"},
		{o, "GET", "/a b", "", false, true, "no method and target of HTTP"},
	} {
		way, err := WayOf(c.o, c.method, c.target)
		if err != nil || way.Route.Path != c.route || way.Route.Public != c.public || way.Refused != c.refuse || way.Problem != c.problem {
			t.Errorf("%s %s: %+v, %v", c.method, c.target, way, err)
		}
		r := gate(t, echo, c.o)
		with := 200
		if c.refuse {
			with = 400
		}
		without := 401
		if c.public {
			without = 200
		} else if c.problem == "no method and target of HTTP" {
			without = 400 // net/http answers
		}
		for _, sent := range []struct {
			headers []string
			want    int
		}{{[]string{"Connection: close"}, with}, {[]string{"-", "Connection: close"}, without}} {
			res := r.raw(t, strings.Replace(get(c.target, sent.headers...), "GET ", c.method+" ", 1))
			if res.StatusCode != sent.want {
				t.Errorf("%s %s with %q: %d, want %d", c.method, c.target, sent.headers, res.StatusCode, sent.want)
			}
		}
	}
	if _, err := WayOf(Options{Routes: []Route{{Path: "/a/../b"}}}, http.MethodGet, "/"); err == nil {
		t.Error("a route that makes no sense is taken")
	}
}

func TestWarning(t *testing.T) {
	legacy := &authn.Token{Legacy: true}
	if w := Warning(Options{WarnLegacy: true}, legacy); w != legacyText {
		t.Errorf("%q", w)
	}
	if w := Warning(Options{WarnStale: true}, legacy); w != "" {
		t.Errorf("%q", w)
	}
}
