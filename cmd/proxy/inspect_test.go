package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sallyport/internal/inspect"
	"sallyport/internal/minicluster"
)

// inspectToken runs the command with a token on standard input.
func inspectToken(t *testing.T, token string, args ...string) (code int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	code = run(t.Context(), commands, append([]string{"inspect"}, args...), streams{in: strings.NewReader(token), out: &o, err: &e})
	return code, o.String(), e.String()
}

func TestInspectCodes(t *testing.T) {
	legacy := "../../internal/authn/jwt/testdata/legacy-auto.token"
	good, err := os.ReadFile("../../internal/authn/jwt/testdata/extended.token")
	must(t, err)
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "ca.crt"), []byte("none"), 0o600))
	for _, c := range []struct {
		in, args string
		code     int
		out, err string
	}{
		{string(good), "", 0, "stretched to a year", ""},
		{string(good), "-", 0, "stretched to a year", ""},
		{string(good), "-o json", 0, `"kind": "extended"`, ""},
		{"", "../../internal/authn/jwt/testdata", 0, "extended.token", ""},
		{"", legacy, 0, "of the old kind", ""},
		{"e30.e30.e30", "", 1, "refused         by sallyport serve, whoever it is from", ""},
		{"opaque", "", 1, "No token that can be read", ""},
		{"", "", 3, "", "standard input is empty"},
		{"", "/nowhere", 3, "", "no such file"},
		{"", dir, 3, "", "is a token; it has: ca.crt"},
		{"", "a b", 2, "", "name one file, or a directory"},
		{"", "-o yaml", 2, "", `"yaml" is neither text nor json`},
		{"", "--issuer=https://x --jwks=y", 2, "", "write one of them"},
		{"", "--jwks=y --ca-file=z", 2, "", "--ca-file goes with a URL"},
		{string(good), "--issuer=https://x --ca-file=/nowhere", 2, "", "there is no /nowhere"},
		{string(good), "--issuer=https://x --ca-file=" + legacy, 2, "", "the file has no PEM certificate"},
		{string(good), "--jwks=/nowhere", 3, "not checked: open /nowhere", ""},
		{string(good), "--jwks=" + legacy, 3, "not checked: ", ""},
		{string(good), "--issuer=https://other.example", 1, `not checked: the token says that it is from "https://kubernetes.default.svc.cluster.local"`, ""},
		{string(good), "--jwks=http://other.example/keys", 3, "only https is followed", ""},
		{"", "--help", 0, "Exit code: 0 shown", ""},
	} {
		code, out, errs := inspectToken(t, c.in, strings.Fields(c.args)...)
		if code != c.code || !strings.Contains(out, c.out) || !strings.Contains(errs, c.err) || (c.err == "") != (errs == "") {
			t.Errorf("%s: exit %d\nout: %s\nerr: %s", c.args, code, out, errs)
		}
	}
}

// TestInspectSignature: who wants to know whether the signature is good learns
// it from the keys of a file or of an issuer, and the token stays here.
func TestInspectSignature(t *testing.T) {
	w := around(t)
	issuer := w.server.URL()
	w.cluster.SetIssuers(issuer)
	w.cluster.SetJWKSURI(issuer + "/openid/v1/jwks")
	w.cluster.Grant("system:unauthenticated", minicluster.Discover)
	ca := filepath.Join(filepath.Dir(w.kubelet.Path()), "ca.crt")
	token := w.token()
	stranger := around(t)
	stranger.cluster.SetIssuers(issuer)
	forged := token[:strings.LastIndex(token, ".")+1] + base64.RawURLEncoding.EncodeToString(make([]byte, 256))
	fresh, err := stranger.cluster.RotateKey()
	must(t, err)
	unknown := stranger.token()

	keys := filepath.Join(w.dir, "keys.json")
	req := httptest.NewRequest(http.MethodGet, "/openid/v1/jwks", nil)
	rec := httptest.NewRecorder()
	w.cluster.ServeHTTP(rec, req)
	must(t, os.WriteFile(keys, rec.Body.Bytes(), 0o600))

	for _, how := range [][]string{
		{"--jwks=" + keys},
		{"--jwks=" + issuer + "/openid/v1/jwks", "--ca-file=" + ca},
		{"--issuer=" + issuer, "--ca-file=" + ca},
	} {
		for _, c := range []struct {
			token string
			code  int
			want  string
		}{
			{token, 0, "good: made with the key"},
			{"Bearer " + token, 0, "good: made with the key"},
			{forged, 1, "NOT GOOD: signature: it does not verify"},
			{unknown, 1, "NOT GOOD: unknown_key: key \"" + fresh + "\" is not among the"},
		} {
			code, out, errs := inspectToken(t, c.token, how...)
			if code != c.code || !strings.Contains(out, "signature       "+c.want) || errs != "" {
				t.Errorf("%v: exit %d, want %d and %q\n%s%s", how, code, c.code, c.want, out, errs)
			}
		}
	}
	code, out, _ := inspectToken(t, token, "--issuer="+issuer, "--ca-file="+ca, "-o=json")
	var r inspect.Report
	if err := json.Unmarshal([]byte(out), &r); err != nil || code != 0 || !r.Signature.Checked || !r.Signature.Good {
		t.Errorf("exit %d, %v\n%s", code, err, out)
	}
	if n := w.cluster.Counts().WithCredential; n != 0 {
		t.Errorf("%d calls carried a token", n)
	}
	// A cluster that wants to know who asks.
	w.cluster.Revoke("system:unauthenticated", minicluster.Discover)
	if code, out, _ := inspectToken(t, token, "--issuer="+issuer, "--ca-file="+ca); code != 3 || !strings.Contains(out, "kubectl get --raw /openid/v1/jwks") {
		t.Errorf("exit %d\n%s", code, out)
	}
	w.cluster.Grant("system:unauthenticated", minicluster.Discover)
	// And one that nobody should trust.
	if code, out, _ := inspectToken(t, token, "--issuer="+issuer); code != 3 || !strings.Contains(out, "not checked: ") {
		t.Errorf("exit %d\n%s", code, out)
	}
	w.cluster.Fail(minicluster.All, minicluster.Fault{Status: 302, Location: "https://elsewhere.example"})
	if code, out, _ := inspectToken(t, token, "--issuer="+issuer, "--ca-file="+ca); code != 3 || !strings.Contains(out, "answered 302") {
		t.Errorf("exit %d\n%s", code, out)
	}
	w.cluster.Fail(minicluster.All, minicluster.Fault{Body: minicluster.Oversize})
	if code, out, _ := inspectToken(t, token, "--issuer="+issuer, "--ca-file="+ca); code != 3 || !strings.Contains(out, "more than 1048576 bytes") {
		t.Errorf("exit %d\n%s", code, out)
	}
}
