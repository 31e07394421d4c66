package config

import (
	"net/url"
	"path"
	"strings"
	"testing"
)

func TestParseAddress(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{":8443", ""}, {"127.0.0.1:0", ""}, {"[::1]:65535", ""}, {"host-1.example:80", ""}, {"unix:///run/a.sock", ""},
		{"", "is no address"},
		{"8443", "is no address"},
		{"::1:80", "is no address"},
		{":http", `"http" is no port`},
		{":65536", `"65536" is no port`},
		{":080", `"080" is no port`},
		{":+1", `"+1" is no port`},
		{":", `"" is no port`},
		{"1.2.3:80", `"1.2.3" is no host`},
		{"999.0.0.1:80", `"999.0.0.1" is no host`},
		{"a b:80", `"a b" is no host`},
		{"-a:80", `"-a" is no host`},
		{"http://a:80", "is no address"},
		{"unix:/run/a", "has no absolute path"},
		{"unix://run/a", "has no absolute path"},
		{"unix:///", "has no absolute path"},
		{"unix:///a/../b", "not in its shortest form"},
		{"unix:///a/", "not in its shortest form"},
		{"unix:///" + strings.Repeat("a", maxSocketPath-1), ""},
		{"unix:///" + strings.Repeat("a", maxSocketPath), "has 104 bytes"},
	} {
		a, err := ParseAddress(c.in)
		if !says(err, c.want) {
			t.Errorf("%s: %v, want %q", c.in, err, c.want)
		}
		if err == nil && a.String() != c.in {
			t.Errorf("%s: comes out as %s", c.in, a)
		}
	}
}

func TestCollides(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{":1", ":1", true}, {":1", ":2", false}, {":0", ":0", false}, {"127.0.0.1:1", ":1", true},
		{"127.0.0.1:1", "0.0.0.0:1", true}, {"[::]:1", "10.0.0.1:1", true}, {"127.0.0.1:1", "127.0.0.2:1", false},
		{"unix:///a", "unix:///a", true}, {"unix:///a", "unix:///b", false}, {"unix:///a", ":1", false},
	} {
		a, aerr := ParseAddress(c.a)
		b, berr := ParseAddress(c.b)
		if aerr != nil || berr != nil {
			t.Fatal(aerr, berr)
		}
		if a.collides(b) != c.want || b.collides(a) != c.want {
			t.Errorf("%s and %s: want %v", c.a, c.b, c.want)
		}
	}
}

func TestParseUpstream(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"http://127.0.0.1:8080", ""}, {"http://127.0.0.1:8080/", ""}, {"https://app.svc", ""}, {"h2c://[::1]:50051", ""},
		{"unix:///run/app.sock", ""}, {"unix:///run/100%25.sock", ""},
		{"127.0.0.1:8080", "has no scheme: write http://"},
		{"localhost:8080", "has no scheme"},
		{"", "has no scheme"},
		{"ftp://a", `the scheme "ftp" is not known`},
		{"http://", `"" is no host`},
		{"http://:8080", `"" is no host`},
		{"http://a:", `"" is no port`},
		{"http://a:0", `"0" is no port`},
		{"http://a:99999", `"99999" is no port`},
		{"http://a:x", "this is no URL"},
		{"http://a/b", "go to the app unchanged: write http://a alone"},
		{"http://a?b", "go to the app unchanged"},
		{"http://a#b", "go to the app unchanged"},
		{"http://u:secret@a", "there is a user name or password"},
		{"http://u:secret@a:x", "this is no URL"},
		{"unix://run/app.sock", "has no absolute path"},
	} {
		u, err := parseUpstream(c.in)
		if !says(err, c.want) {
			t.Errorf("%s: %v, want %q", c.in, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the password is told: %v", c.in, err)
		}
		if err == nil && u.Scheme == "unix" && "unix://"+u.Path != c.in {
			t.Errorf("%s: path is %s", c.in, u.Path)
		}
	}
}

func TestPatterns(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"/", ""}, {"/*", ""}, {"/a", ""}, {"/a/", ""}, {"/a/*", ""}, {"/a.b/..c/...", ""}, {"/%C3%A9", ""}, {"/%c3%a9", ""},
		{"/a;b=c/*", ""}, {"/100%25", ""}, {"/%2525", ""}, {"/~x/%7Ex", ""},
		{"", "there is no path"},
		{"a", "does not begin with a slash"},
		{"*", "does not begin with a slash"},
		{"/a*", "has a * that is not the /* at its end"},
		{"/*/a", "has a * that"},
		{"/a/*/*", "has a * that"},
		{"/a/**", "has a * that"},
		{"//", "has // in it"},
		{"/a//b", "has // in it"},
		{"//*", "has // in it"},
		{"/.", "has a dot segment"},
		{"/a/../b", "has a dot segment"},
		{"/a/..", "has a dot segment"},
		{"/a/..;x/b", "has a dot segment"},
		{"/a/..%3Bx/b", "has a dot segment"},
		{"/%2e%2e/a", "paths with %2e are refused"},
		{"/a%2Fb", "paths with %2F are refused"},
		{"/a%5cb", "paths with %5c are refused"},
		{"/a%00", "paths with %00 are refused"},
		{"/a%7f", "paths with %7f are refused"},
		{`/a\b`, "has a backslash"},
		{"/a?b", "has a ? in it"},
		{"/a#b", "has a # in it"},
		{"/a b", "write %20 for it"},
		{"/é", "write %C3 for it"},
		{"/a\x00", "write %00 for it"},
		{"/%", `"%" is no escape`},
		{"/%2", `"%2" is no escape`},
		{"/%zz", `"%zz" is no escape`},
		{"/%ff", "is not UTF-8"},
		{"/a%C2%85", "has a control character once decoded"},
		{"/a%C2%A0", ""},
	} {
		if err := checkPattern(c.in); !says(err, c.want) {
			t.Errorf("%s: %v, want %q", c.in, err, c.want)
		}
	}
}

// FuzzPattern holds an accepted pattern against another reading of it: decoded
// by the standard library and cleaned, it is still itself, so that no app that
// decodes and cleans can end up outside of the prefix.
func FuzzPattern(f *testing.F) {
	for _, s := range []string{"/a/*", "/%C3%A9", "/a/..;b", "/%252e%252e/", "/a%2f", "/a/"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if checkPattern(s) != nil {
			return
		}
		decoded, err := url.PathUnescape(s)
		if err != nil {
			t.Fatalf("%q: %v", s, err)
		}
		clean := path.Clean(decoded)
		if strings.HasSuffix(decoded, "/") && clean != "/" {
			clean += "/"
		}
		if clean != decoded {
			t.Errorf("%q decodes to %q and cleans to %q", s, decoded, clean)
		}
	})
}

func TestMatches(t *testing.T) {
	for _, c := range []struct {
		pattern, other string
		want           bool
	}{
		{"/a", "/a", true}, {"/a", "/b", false}, {"/a/*", "/a", false}, {"/a/*", "/a/", true}, {"/a/*", "/a/b", true},
		{"/a/*", "/ab", false}, {"/a/*", "/a/*", true}, {"/a/*", "/a/b/*", true}, {"/a/b/*", "/a/*", false}, {"/*", "/a", true}, {"/a", "/a/*", false},
	} {
		if got := matches(c.pattern, c.other); got != c.want {
			t.Errorf("%s matches %s = %v", c.pattern, c.other, got)
		}
	}
}

func TestHoleIsWarnedOf(t *testing.T) {
	for text, want := range map[string]int{
		"[{path: /a/secret}, {path: /a/*, public: true}]":               1,
		"[{path: /a/secret/*}, {path: /a/*, public: true}]":             1,
		"[{path: /a/secret, public: true}, {path: /a/*, public: true}]": 0,
		"[{path: /b}, {path: /a/*, public: true}]":                      0,
		"[{path: /a/open, public: true}, {path: /a/*}]":                 0,
	} {
		c, err := loadText("audiences: [a]\nlisten: 127.0.0.1:1\nroutes: " + text)
		if err != nil || len(c.Warnings) != want {
			t.Errorf("%s: %v, %q, want %d warnings", text, err, c.Warnings, want)
		}
	}
}

func TestNearest(t *testing.T) {
	names := []string{"listen", "admin-listen", "tls", "tls-cert-file", "mode"}
	for typed, want := range map[string]string{
		"lisen": "listen", "lsiten": "listen", "adminlisten": "admin-listen", "TLS": "tls", "tsl": "tls",
		"tls-cert": "", "mod": "mode", "x": "", "": "", "zzzzzzzz": "",
	} {
		if got := nearest(typed, names); got != want {
			t.Errorf("%q: %q, want %q", typed, got, want)
		}
	}
}

func TestLongNamesAreCheap(t *testing.T) {
	if got := nearest(strings.Repeat("a", 1<<20), []string{"listen"}); got != "" {
		t.Errorf("got %q", got)
	}
}

// says reports whether err has the text, or is nil where the text is empty.
func says(err error, text string) bool {
	if text == "" || err == nil {
		return text == "" && err == nil
	}
	return strings.Contains(err.Error(), text)
}
