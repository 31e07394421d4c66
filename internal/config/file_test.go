package config

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// TestGoodFiles loads each file alone: nothing else makes it valid.
func TestGoodFiles(t *testing.T) {
	for _, name := range files(t, "*.good.yaml") {
		t.Run(filepath.Base(name), func(t *testing.T) {
			c, err := Load([]string{"--config", name})
			if err != nil {
				t.Fatal(err)
			}
			holds(t, c)
		})
	}
}

// TestBadFiles wants exactly the one problem that the first line tells.
func TestBadFiles(t *testing.T) {
	for _, name := range files(t, "*.bad.yaml") {
		t.Run(filepath.Base(name), func(t *testing.T) {
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			first, _, _ := strings.Cut(string(data), "\n")
			want := strings.TrimPrefix(first, "# ")
			_, err = Load([]string{"--config", name, "--listen", "127.0.0.1:8443"})
			var errs Errors
			if !errors.As(err, &errs) {
				t.Fatalf("err = %v, want Errors", err)
			}
			var got []string
			for _, p := range errs {
				// Nearly all files leave the audience away, to be short.
				if p.Where != "--audience" {
					got = append(got, strings.TrimPrefix(p.Error(), name+":"))
				}
			}
			if len(got) != 1 || !strings.HasPrefix(strings.TrimSpace(got[0]), want) {
				t.Errorf("got:\n%s\nwant one problem: %s", strings.Join(got, "\n"), want)
			}
		})
	}
}

// TestEveryField fails where a field is lost on the way: the file of all fields
// must leave none of Config's at its zero value, but for those that it sets to
// zero on purpose.
func TestEveryField(t *testing.T) {
	c, err := Load([]string{"--config", "testdata/all.good.yaml", "--check"})
	if err != nil {
		t.Fatal(err)
	}
	zero := map[string]bool{"Leeway": true, "MaxStale": true, "DrainDelay": true, "Warnings": true}
	v := reflect.ValueOf(*c)
	for i := range v.NumField() {
		if name := v.Type().Field(i).Name; v.Field(i).IsZero() != zero[name] {
			t.Errorf("%s = %v", name, v.Field(i))
		}
	}
	want := []Route{
		{Path: "/healthz", Public: true},
		{Path: "/static/*", Methods: []string{"GET", "HEAD"}, Public: true},
		{Path: "/api/*", ForwardAuthorization: true},
	}
	if !reflect.DeepEqual(c.Routes, want) {
		t.Errorf("routes = %+v", c.Routes)
	}
	if want := (Headers{"X-User", "X-Group", "X-Uid", "X-Extra-"}); c.Headers != want {
		t.Errorf("headers = %+v", c.Headers)
	}
	if ips := []netip.Addr{netip.MustParseAddr("10.1.2.3"), netip.MustParseAddr("fd00::3")}; !reflect.DeepEqual(c.PodIPs, ips) {
		t.Errorf("podIPs = %v", c.PodIPs)
	}
	j := JWT{
		URL: "https://id.example/realm", DiscoveryURL: "https://10.0.0.1/realm/.well-known/openid-configuration",
		Audiences: []string{"orders", "web"},
		Username:  ClaimMapping{"email", "id:"}, Groups: ClaimMapping{Claim: "roles"}, UID: ClaimMapping{Claim: "sub"},
	}
	if !reflect.DeepEqual(c.JWT, []JWT{j}) {
		t.Errorf("jwt = %+v", c.JWT)
	}
}

// TestFileMatchesTable fails where a setting has no field in the file of all
// fields, so that the file stays the list of them.
func TestFileMatchesTable(t *testing.T) {
	data, err := os.ReadFile("testdata/all.good.yaml")
	if err != nil {
		t.Fatal(err)
	}
	acronyms := []string{"issuerCAFile", "podIPs", "hostIPs"} // which a flag has in lower case
	for _, s := range settings {
		if s.field != "" && !strings.Contains(string(data), "\n"+s.field+":") {
			t.Errorf("%s is missing", s.field)
		}
		if s.field != "" && strings.TrimSuffix(kebab(s.field), "s") != strings.TrimSuffix(s.flag, "s") && !slices.Contains(acronyms, s.field) {
			t.Errorf("field %s does not have the words of --%s", s.field, s.flag)
		}
	}
}

func TestUnreadableFiles(t *testing.T) {
	dir := t.TempDir()
	large := filepath.Join(dir, "large.yaml")
	if err := os.WriteFile(large, make([]byte, maxFile+1), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, want string }{
		{filepath.Join(dir, "none.yaml"), "no such file or directory"},
		{dir, "not a regular file"},
		{large, "larger than 1 MiB"},
		{"", "this is empty"},
	} {
		got := problems(t, "--audience=a", "--listen=127.0.0.1:1", "--config", c.name)
		if len(got) != 1 || !strings.Contains(got[0], c.want) {
			t.Errorf("%q: %q, want %q", c.name, got, c.want)
		}
	}
}

// What a file that cannot be read might hold is not missed; what is wrong beside
// it is said all the same.
func TestUnreadableFileAlone(t *testing.T) {
	for _, args := range [][]string{
		{"--config=/no/such/file"},
		{"--config=/no/such/file", "--tls-key-file=/k", "--upstream-ca-file=/x"},
		{"--config="},
		{"--config=a", "--config=b"},
		{"--config=testdata/syntax.bad.yaml"},
		{"--config=testdata/second-broken.bad.yaml"},
		{"--config=testdata/documents.bad.yaml"},
		{"--config=testdata/list.bad.yaml"},
	} {
		if got := problems(t, args...); len(got) != 1 || !strings.Contains(got[0], "config") && !strings.Contains(got[0], "bad.yaml") {
			t.Errorf("%q:\n%s", args, strings.Join(got, "\n"))
		}
		if got := problems(t, append(args, "--mode=none")...); len(got) != 2 {
			t.Errorf("%q and a bad flag:\n%s", args, strings.Join(got, "\n"))
		}
	}
	if got := problems(t, "--config=testdata/unknown.bad.yaml"); len(got) != 3 {
		t.Errorf("a file that was read, and has no audience:\n%s", strings.Join(got, "\n"))
	}
}

func TestNextToNothing(t *testing.T) {
	for _, text := range []string{"", "# nothing\n", "---\n", "~", "{}", "leeway: 0"} {
		if _, err := loadText(text, "--audience=a", "--listen=127.0.0.1:1"); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestFlagsWin(t *testing.T) {
	c, err := loadText("audiences: [a]\nmode: oidc\nrecheck: 7s\npublicPaths: [/a]\nroutes: [{path: /r, public: true}]\ntls: off",
		"--audience=b", "--audience=c", "--mode=hybrid", "--public-path=/b")
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(c.Audiences, " "); got != "b c" {
		t.Errorf("audiences = %s", got)
	}
	if c.Mode != Hybrid || short(c.Recheck) != "7s" {
		t.Errorf("mode = %s, recheck = %s", c.Mode, c.Recheck)
	}
	if len(c.Routes) != 2 || c.Routes[0].Path != "/b" || c.Routes[1].Path != "/r" {
		t.Errorf("routes = %+v", c.Routes)
	}
}

// TestFileAndFlagsAtOnce: a good flag does not hide a bad field, and the order is
// file, flags, both together.
func TestFileAndFlagsAtOnce(t *testing.T) {
	_, err := loadText("leeway: 2m\nspeed: fast", "--leeway=5s", "--mode=none", "--bogus")
	errs := err.(Errors)
	var where []string
	for _, p := range errs {
		where = append(where, p.Where)
	}
	want := "f.yaml:1: leeway, f.yaml:2: speed, --bogus, --mode, --audience, --listen"
	if got := strings.Join(where, ", "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestRoots(t *testing.T) {
	cert, key := pemPair(t)
	for _, c := range []struct {
		pem string
		ok  bool
	}{
		{cert, true}, {cert + cert, true}, {cert + "\n\n", true},
		{key, false}, {cert + key, false}, {cert + "junk", false}, {"junk", false}, {"", false},
		{strings.ReplaceAll(cert, "CERTIFICATE", "X509 CERTIFICATE"), false}, // x509 pools skip it
		{strings.Replace(cert, "\nMI", "\nAA", 1), false},
	} {
		text := "audiences: [a]\ntls: off\njwt:\n- issuer:\n    url: https://a\n    audiences: [b]\n    certificateAuthority: |\n      " +
			strings.ReplaceAll(c.pem, "\n", "\n      ") + "\n  claimMappings: {username: {claim: sub, prefix: ''}}\n"
		got, err := loadText(text)
		if (err == nil) != c.ok {
			t.Errorf("%.40q: %v", c.pem, err)
		}
		if err == nil && !strings.HasPrefix(got.JWT[0].CertificateAuthority, cert[:50]) {
			t.Errorf("%.40q: lost", c.pem)
		}
		if err != nil && strings.Contains(err.Error(), key[40:60]) {
			t.Errorf("the problem shows the key: %v", err)
		}
	}
}

func files(t *testing.T, pattern string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join("testdata", pattern))
	if err != nil || len(names) == 0 {
		t.Fatalf("no files: %v", err)
	}
	return names
}

// loadText loads a file with that text, and flags.
func loadText(text string, flags ...string) (*Config, error) {
	read := func(string) ([]byte, error) { return []byte(text), nil }
	return load(append([]string{"--config=f.yaml"}, flags...), read)
}

// problems are those of args, and none where they are good.
func problems(t *testing.T, args ...string) []string {
	t.Helper()
	_, err := Load(args)
	var errs Errors
	if err != nil && !errors.As(err, &errs) {
		t.Fatalf("err = %v, want Errors", err)
	}
	var lines []string
	for _, p := range errs {
		lines = append(lines, p.Error())
	}
	return lines
}
