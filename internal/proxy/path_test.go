package proxy

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

var oddPaths = []string{
	"/public/../admin", "/public/./admin", "/public/..", "/public/.", "/./a", "/../a", "/..", "/.",
	"/public/%2e%2e/admin", "/public/%2E%2e/admin", "/public/.%2e/admin", "/public/%2e/a", "/file%2etxt",
	"/public/..;/admin", "/public/..;x=1/admin", "/public/.;/admin", "/public/..%3b/admin", "/public/;/a", "/public/;x/a", "/public/;", "/%3b/a",
	"//admin", "/public//admin", "/public//", "///",
	"/public%2fadmin", "/public/%2Fadmin", "/public%5cadmin", "/public/%5C..", `/public\..\admin`, `/\admin`,
	"/public/%00", "/public/%0a", "/public/%0D%0Ax", "/public/%7f", "/public/%1F",
	"/public/%c2%80", "/public/a%C2%9fb", "/public/%C2%85", "/public/\u009b", "/ä%c2%85",
	"/public/%ff", "/public/%c0%af", "/public/%c0%ae%c0%ae/", "/public/%ed%a0%80", "/public/\xff",
	"/a b", "/a\tb", "/a\x01", "/a\x7f", "a", "",
	"/public/x#/admin", "/a#", "/%", "/%2", "/%zz",
}

var canonicalPaths = []string{
	"/", "/a", "/a/", "/a/b.txt", "/a.b/..c", "/...", "/a/..b", "/.well-known/x", "/a;x=1/b", "/a;",
	"/%7e", "/~", "/%41", "/a%20b", "/%C3%A4", "/ä", "/%c2%a0", "/£", "/À", "/%e2%80%85", "/%25", "/%252e%252e/", "/%252f", "/a%3b", "/%3f", "/%23",
	`/"{}|^[]<>`, "/a:b@c!$&'()*+,=", "/a`b",
}

func TestOddity(t *testing.T) {
	for _, p := range oddPaths {
		if oddity(p) == "" {
			t.Errorf("%q is not odd", p)
		}
	}
	for _, p := range canonicalPaths {
		if what := oddity(p); what != "" {
			t.Errorf("%q is odd: %s", p, what)
		}
	}
}

// The app gets the very bytes, whatever net/url thinks of them.
func TestTargetByteForByte(t *testing.T) {
	r := gate(t, echo, Options{})
	targets := []string{
		"/?", "/a?", "/?a=1;b=2", "/?a=%zz", "/?%", "/?a=b%2Fc&&=&x", "/??", "/?a?b", "/?" + strings.Repeat("a&", 11000),
		"/a?x=/../y", "/?#x", "/?\"<>", "/?ä", "/" + strings.Repeat("x", 5000),
	}
	for _, target := range append(targets, canonicalPaths...) {
		for _, q := range []string{"", "?q=%41"} {
			if q != "" && strings.Contains(target, "?") {
				continue
			}
			res := r.raw(t, get(target+q, "Connection: close"))
			if body, _ := io.ReadAll(res.Body); string(body) != target+q || res.StatusCode != 200 {
				t.Errorf("%.80q arrived as %.80q, %d", target+q, body, res.StatusCode)
			}
		}
	}
}

func TestOddPathsForwarded(t *testing.T) {
	routes := []Route{{Path: "/public/*", Public: true}, {Path: "/*", ForwardAuthorization: true}}
	app := func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, r.RequestURI+" "+r.Header.Get("Authorization"))
	}
	ok := func(p string) bool {
		u, err := url.ParseRequestURI(p)
		return err == nil && u.Host == "" && !strings.Contains(p, " ")
	}
	forwarding := gate(t, app, Options{Routes: routes, ForwardOddPaths: true})
	refusing := gate(t, app, Options{Routes: routes})
	for _, p := range oddPaths {
		if !ok(p) {
			// net/http refuses it before we see it.
			if res := forwarding.raw(t, get(p)); res.StatusCode != 400 {
				t.Errorf("%q: %d", p, res.StatusCode)
			}
			continue
		}
		for _, r := range []*rig{forwarding, refusing} {
			if res := r.raw(t, get(p, "-")); res.StatusCode != 401 {
				t.Errorf("%q without a token: %d", p, res.StatusCode)
			}
			if res := r.raw(t, get(p, "Authorization: Bearer x")); res.StatusCode < 400 {
				t.Errorf("%q with a bad token: %d", p, res.StatusCode)
			}
		}
		if res := refusing.raw(t, get(p)); res.StatusCode != 400 {
			t.Errorf("%q with a token: %d", p, res.StatusCode)
		}
		res := forwarding.raw(t, get(p+"?x"))
		if body, _ := io.ReadAll(res.Body); string(body) != p+"?x " {
			t.Errorf("%q arrived as %q, %d", p+"?x", body, res.StatusCode)
		}
	}
	// net/http would send an absolute target in its place.
	if res := forwarding.raw(t, get(`//a"b`)); res.StatusCode != 400 {
		t.Errorf("a path that cannot be forwarded as it is: %d", res.StatusCode)
	}
}

func TestTargetOf(t *testing.T) {
	for _, tc := range []struct {
		name, uri, method, host string
		major                   int
		url                     string // "" for what net/url makes of uri
		path, query             string // "" for a refusal
	}{
		{"good", "/a?b", "GET", "h", 1, "", "/a", "?b"},
		{"HTTP/2", "/a?b", "GET", "h", 2, "", "/a", "?b"},
		{"no host, as in HTTP/1.0", "/a", "GET", "", 1, "", "/a", ""},
		{"absolute", "http://x/a", "GET", "x", 1, "", "/a", ""},
		{"absolute in HTTP/2", "http://x/a", "GET", "x", 2, "", "", ""},
		{"space, as HTTP/2 allows", "/a b", "GET", "h", 2, "", "", ""},
		{"space in the query", "/a?b HTTP/1.1 c", "GET", "h", 2, "", "", ""},
		{"host with a space", "/a", "GET", "h x", 2, "", "", ""},
		{"host with a control byte", "/a", "GET", "h\x01", 2, "", "", ""},
		{"two opinions", "/a", "GET", "h", 1, "/b", "", ""},
		{"two opinions on encoding", "/a%2fb", "GET", "h", 1, "/a%252fb", "", ""},
		{"asterisk", "*", "OPTIONS", "h", 2, "*", "", ""},
		{"CONNECT", "/a", "CONNECT", "h", 2, "", "", ""},
		{"method with a space, as HTTP/2 allows", "/a", "G T", "h", 2, "", "", ""},
	} {
		if tc.url == "" {
			tc.url = tc.uri
		}
		u, err := url.ParseRequestURI(tc.url)
		if err != nil {
			u = &url.URL{Path: tc.url}
		}
		got, problem := targetOf(&http.Request{Method: tc.method, Host: tc.host, RequestURI: tc.uri, URL: u, ProtoMajor: tc.major})
		if tc.path == "" && problem == "" || tc.path != "" && (got != target{tc.path, tc.query} || problem != "") {
			t.Errorf("%s: %v, %q", tc.name, got, problem)
		}
	}
}

func TestAbsoluteForm(t *testing.T) {
	r := gate(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Host+" "+r.RequestURI) },
		Options{Routes: []Route{{Path: "/public/*", Public: true}}})
	for target, want := range map[string]string{
		"http://other.example/a%7e?b":     "other.example /a%7e?b",
		"http://other.example":            "other.example /",
		"http://other.example?x=/a":       "other.example /?x=/a",
		"http://u@other.example/a":        "other.example /a",
		"http://other.example/public/..":  "400",
		"http://other.example//a":         "400",
		"mailto:x":                        "400",
		"http://other.example/a?http://b": "other.example /a?http://b",
		"http:///public/x":                "400",
	} {
		res := r.raw(t, get(target))
		body, _ := io.ReadAll(res.Body)
		if got := string(body); got != want && !(want == "400" && res.StatusCode == 400) {
			t.Errorf("%s: %d %q, want %q", target, res.StatusCode, got, want)
		}
	}
	if res := r.raw(t, get("http://x.example/public/../a", "-")); res.StatusCode != 401 {
		t.Errorf("dot segments in an absolute target: %d", res.StatusCode)
	}
}

func TestRoutes(t *testing.T) {
	r := gate(t, echo, Options{Routes: []Route{
		{Path: "/public/secret"},
		{Path: "/public/deep/*"},
		{Path: "/public/post", Methods: []string{"POST"}},
		{Path: "/public/get", Methods: []string{"GET"}},
		{Path: "/public/*", Public: true},
		{Path: "/healthz", Public: true},
		{Path: "/read", Public: true, Methods: []string{"GET"}},
		{Path: "/later", Public: true},
		{Path: "/later"},
	}})
	const open, shut = 200, 401
	for _, tc := range []struct {
		method, target string
		want           int
	}{
		{"GET", "/public/", open},
		{"GET", "/public/a/b", open},
		{"GET", "/public", shut},
		{"GET", "/publicity", shut},
		{"GET", "/PUBLIC/a", shut},
		{"GET", "/%70ublic/a", shut},
		{"GET", "/public;x/a", shut},
		{"GET", "/healthz", open},
		{"GET", "/healthz?x=1", open},
		{"GET", "/healthz/", shut},
		{"GET", "/healthz;x", shut},
		{"GET", "/healthzz", shut},
		{"GET", "/private?x=/healthz", shut},
		{"GET", "/private;x=/healthz", shut},
		{"GET", "/private#/healthz", shut},
		{"GET", "/private%23/healthz", shut},
		{"GET", "/healthz#/private", shut},
		{"GET", "/healthz%23", shut},
		{"GET", "/read", open},
		{"HEAD", "/read", shut},
		{"POST", "/read", shut},
		{"get", "/read", shut},
		{"GET", "/later", open},
		{"GET", "/", shut},
		// What needs a token needs it however it is spelt.
		{"GET", "/public/secret", shut},
		{"GET", "/public/%73ecret", shut},
		{"GET", "/public/SECRET", shut},
		{"GET", "/public/secret/", shut},
		{"GET", "/public/secret;x=1", shut},
		{"GET", "/public;x/secret", shut},
		{"GET", "/public/secret;x/y", shut}, // to RFC 1808, all behind the semicolon is parameters
		{"GET", "/public/secret%3bx/y", shut},
		{"GET", "/public/secret%3bx", shut},
		{"GET", "/public/secrets", open},
		{"GET", "/public/secret/x", open},
		{"GET", "/public/deep", shut},
		{"GET", "/public/Deep/x", shut},
		{"GET", "/public/dee%70/x", shut},
		{"GET", "/public/deeper", open},
		{"GET", "/public/post", open},
		{"POST", "/public/post", shut},
		{"post", "/public/post", shut},
		{"HEAD", "/public/get", shut},
		{"POST", "/public/get", open},
	} {
		res := r.raw(t, strings.Replace(get(tc.target, "-", "Content-Length: 0"), "GET", tc.method, 1))
		if res.StatusCode != tc.want {
			t.Errorf("%s %s: %d, want %d", tc.method, tc.target, res.StatusCode, tc.want)
		}
		for _, h := range []string{"X-Forwarded-Uri", "X-Forwarded-Path", "X-Original-Url", "X-Original-Uri", "X-Rewrite-Url", "X-Forwarded-Prefix", "X-Http-Method-Override"} {
			if tc.want == shut {
				res := r.raw(t, strings.Replace(get(tc.target, "-", "Content-Length: 0", h+": /healthz"), "GET", tc.method, 1))
				if res.StatusCode != shut {
					t.Errorf("%s %s with %s: %d", tc.method, tc.target, h, res.StatusCode)
				}
			}
		}
	}
}

// An app that ignores case may ignore it as Unicode does.
func TestHoleInOtherLetters(t *testing.T) {
	r := gate(t, report, Options{Routes: []Route{{Path: "/public/secret/*"}, {Path: "/public/task"}, {Path: "/public/*", Public: true}}})
	for _, path := range []string{
		"/public/\u017fecret/x", "/public/%C5%BFecret/x", "/public/ta\u017f\u212a", "/public/SECRET/x", "/PUBLIC/task", "/public/task;a/",
	} {
		if res := r.raw(t, "GET "+path+" HTTP/1.1\r\nHost: a\r\n\r\n"); res.StatusCode != http.StatusUnauthorized {
			t.Errorf("%q: %d, want 401", path, res.StatusCode)
		}
	}
}
