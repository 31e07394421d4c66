package inspect

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sallyport/internal/minicluster"
)

var update = flag.Bool("update", false, "write the golden files anew")

// blog is when the three tokens of 2022 were looked at.
var blog = time.Date(2022, 8, 19, 12, 0, 0, 0, time.UTC)

func TestBlog(t *testing.T) {
	for _, name := range []string{"extended", "legacy-auto", "legacy-manual"} {
		b, err := os.ReadFile(filepath.Join("../authn/jwt/testdata", name+".token"))
		if err != nil {
			t.Fatal(err)
		}
		golden(t, "1.24-"+name, string(b), blog)
	}
}

// A cluster of 1.37, in a bubble: its clock begins in 2000 and stands still.
func cluster(t *testing.T) *minicluster.Cluster {
	t.Helper()
	c, err := minicluster.New(minicluster.Options{Keys: minicluster.SharedKeys(0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	c.CreateServiceAccount("shop", "checkout")
	c.CreateNode("node-1")
	c.CreatePod("shop", "checkout-0", "checkout", "node-1")
	c.CreateSecret("shop", "job")
	return c
}

func TestKubernetes(t *testing.T) {
	minicluster.SharedKeys(0, 1) // takes real time
	ours := []string{"orders.shop.svc"}
	for name, tc := range map[string]struct {
		request minicluster.Request
		later   time.Duration
	}{
		"pod":         {minicluster.Request{Pod: "checkout-0", Audiences: ours}, 0},
		"pod-late":    {minicluster.Request{Pod: "checkout-0", Audiences: ours}, 55 * time.Minute},
		"pod-expired": {minicluster.Request{Pod: "checkout-0", Audiences: ours}, 3 * time.Hour},
		"pod-week":    {minicluster.Request{Pod: "checkout-0", Audiences: ours, TTL: 7 * 24 * time.Hour}, time.Hour},
		"pod-api":     {minicluster.Request{Pod: "checkout-0"}, time.Minute},
		"pod-both":    {minicluster.Request{Pod: "checkout-0", Audiences: append(ours, minicluster.DefaultIssuer)}, time.Minute},
		"extended":    {minicluster.Request{Pod: "checkout-0", TTL: 3607 * time.Second}, 30 * time.Minute},
		"stale":       {minicluster.Request{Pod: "checkout-0", TTL: 3607 * time.Second}, 40 * 24 * time.Hour},
		"node":        {minicluster.Request{Node: "node-1", Audiences: ours}, 0},
		"secret":      {minicluster.Request{Secret: "job", Audiences: ours}, 0},
		"unbound":     {minicluster.Request{Audiences: ours}, -5 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tc.request.Namespace, tc.request.ServiceAccount = "shop", "checkout"
				token, err := cluster(t).Token(tc.request)
				if err != nil {
					t.Fatal(err)
				}
				golden(t, "1.37-"+name, token, time.Now().Add(tc.later))
			})
		})
	}
}

func TestOtherKinds(t *testing.T) {
	minicluster.SharedKeys(0, 1)
	for name, claims := range map[string]map[string]any{
		"webhook": {"iss": minicluster.DefaultIssuer, "aud": []string{"https://hook.shop.svc:443/"}, "sub": "system:serviceaccount:kube-system:apiserver", "exp": 946685400, "iat": 946684800,
			"kubernetes.io": map[string]any{"namespace": "kube-system", "serviceaccount": map[string]any{"name": "apiserver", "uid": "u"},
				"validatingwebhookconfiguration": map[string]any{"name": "hook", "uid": "h"}, "attestations": map[string]any{"admissionReviewAPIGroups": []string{"apps"}}}},
		"person": {"iss": "https://login.example", "aud": "orders", "sub": "4711", "email": "jo@example.org", "email_verified": true, "groups": []string{"dev", "ops"},
			"exp": 946688400, "iat": 946684800, "nbf": 946684740, "jti": "j-1"},
		"mixed-up": {"iss": "https://login.example", "sub": "system:serviceaccount:kube-system:admin", "exp": 946688400,
			"kubernetes.io": map[string]any{"namespace": "shop", "serviceaccount": map[string]any{"name": "checkout"}}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				token, err := cluster(t).Sign(nil, claims)
				if err != nil {
					t.Fatal(err)
				}
				golden(t, name, token, time.Now())
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		token, err := cluster(t).CreateSecretToken("shop", "old", "checkout")
		if err != nil {
			t.Fatal(err)
		}
		golden(t, "1.37-legacy", token, time.Now())
	})
}

var (
	uid = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	kid = regexp.MustCompile(`\bkid"?:? "?([\w-]{43})`)
)

// golden compares text and JSON with what was approved. What every run makes
// anew stands there by its name.
func golden(t *testing.T, name, token string, now time.Time) {
	t.Helper()
	r := Token(token, now)
	var text, data bytes.Buffer
	if err := r.Text(&text); err != nil {
		t.Fatal(err)
	}
	if err := r.JSON(&data); err != nil {
		t.Fatal(err)
	}
	got := text.String() + "\n" + data.String()
	noSignature(t, token, got)
	if !strings.HasPrefix(name, "1.24") {
		got = uid.ReplaceAllString(got, "UID")
		if m := kid.FindStringSubmatch(got); m != nil {
			got = strings.ReplaceAll(got, m[1], "KEY")
		}
		got = strings.ReplaceAll(got, fmt.Sprint(r.Bytes), "LENGTH")
	}
	file := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; -update writes it anew. Now:\n%s", file, got)
	}
}

// noSignature fails where any eight letters of the token's last part are shown.
func noSignature(t *testing.T, token, shown string) {
	t.Helper()
	signature := strings.TrimSpace(token[strings.LastIndexByte(token, '.')+1:])
	for i := 0; i+8 <= len(signature); i++ {
		if strings.Contains(shown, signature[i:i+8]) {
			t.Fatalf("it shows a part of the signature:\n%s", shown)
		}
	}
}
