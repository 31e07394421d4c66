package scenarios

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"sallyport/e2e/caller"
	"sallyport/e2e/wait"
	"sallyport/internal/authn"
	"sallyport/internal/config"
)

// Given the example from deploy/ and a caller's pod,
// when it calls with each of the tokens that a pod can have,
// then the one that the kubelet projects for our audience opens the gate, and
// each other is refused for its own reason.
func TestCallers(t *testing.T) {
	t.Parallel()
	tryTokens(t, deploy(t), newCaller(t), config.Hybrid)
}

// tryTokens sends a gate of the mode all tokens that a pod can have.
func tryTokens(t *testing.T, g *gate, c *callingPod, mode config.Mode) {
	t.Helper()
	g.waitReached(t, c)
	for _, tt := range refusals(t, c, mode) {
		t.Run(tt.name, func(t *testing.T) {
			path := "/" + c.pod.Namespace + "/" + tt.name
			before := g.metric(t, "sallyport_requests_total", `code="401"`, reasonLabel(tt.reason))
			tt.send.URL = g.service + path
			a := c.call(t, tt.send)
			if a.Status != http.StatusUnauthorized || !strings.HasPrefix(a.Header.Get("WWW-Authenticate"), "Bearer ") {
				t.Errorf("answer: %v, want 401 and a challenge", a)
			}
			if strings.Contains(string(a.Body), "identity") {
				t.Error("the app has answered")
			}
			g.tells(t, path, tt.reason)
			if g.metric(t, "sallyport_requests_total", `code="401"`, reasonLabel(tt.reason)) <= before {
				t.Errorf("the metrics do not count it as %s", tt.reason)
			}
		})
	}
	t.Run("for us", func(t *testing.T) {
		a := c.call(t, caller.Request{URL: g.service + "/let-through?q=1", TokenFile: ownToken})
		if a.Status != http.StatusOK {
			t.Fatalf("answer: %v", a)
		}
		sawIdentity(t, a.Body, c)
	})
}

// A refusal is a request without a token that opens the gate, and why.
type refusal struct {
	name   string
	send   caller.Request
	reason authn.Reason
}

func refusals(t *testing.T, c *callingPod, mode config.Mode) []refusal {
	t.Helper()
	// What cannot succeed is refused by the gate itself, in every mode. Only a
	// forgery is found by whoever looks at the signature.
	forged := authn.Signature
	if mode == config.TokenReview {
		forged = authn.Revoked
	}
	return []refusal{
		{"another-audience", caller.Request{TokenFile: otherToken}, authn.Audience},
		{"default", caller.Request{TokenFile: defaultToken}, authn.Audience},
		{"ours-and-the-api-server's", caller.Request{Token: c.request(t, gateAudience, clusterIssuer(t))}, authn.APIAudience},
		{"legacy", caller.Request{TokenFile: legacyToken}, authn.Legacy},
		{"another's-name", caller.Request{Token: renamed(t, c.request(t, gateAudience))}, forged},
		{"none", caller.Request{}, authn.Missing},
	}
}

// renamed makes the token one of another service account's, without a key to
// sign it with.
func renamed(t *testing.T, token string) string {
	t.Helper()
	return altered(t, token, func(claims map[string]any) {
		claims["sub"] = "system:serviceaccount:kube-system:default"
		k := claims["kubernetes.io"].(map[string]any)
		k["namespace"], k["serviceaccount"].(map[string]any)["name"] = "kube-system", "default"
	})
}

// altered changes a token's claims, and leaves the signature.
func altered(t *testing.T, token string, change func(claims map[string]any)) string {
	t.Helper()
	parts := strings.Split(token, ".")
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	var claims map[string]any
	if err == nil {
		err = json.Unmarshal(payload, &claims)
	}
	if err != nil {
		t.Fatal(err)
	}
	change(claims)
	parts[1] = segment(t, claims)
	return strings.Join(parts, ".")
}

// sawIdentity checks what the app saw of the caller.
func sawIdentity(t *testing.T, body []byte, c *callingPod) {
	t.Helper()
	var saw struct {
		Target        string
		Authorization bool
		Identity      http.Header
	}
	if err := json.Unmarshal(body, &saw); err != nil {
		t.Fatalf("the app's answer: %v: %s", err, body)
	}
	if saw.Target != "/let-through?q=1" || saw.Authorization {
		t.Errorf("the app saw %+v", saw)
	}
	extra := "X-Remote-Extra-Authentication.kubernetes.io%2f"
	namespace := c.pod.Namespace
	for name, want := range map[string][]string{
		"X-Remote-User":    {"system:serviceaccount:" + namespace + ":caller"},
		"X-Remote-Uid":     {string(c.account.UID)},
		"X-Remote-Group":   {"system:serviceaccounts", "system:serviceaccounts:" + namespace, "system:authenticated"},
		extra + "pod-Name": {c.pod.Name},
		extra + "pod-Uid":  {string(c.pod.UID)},
	} {
		if got := header(saw.Identity, name); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q; of %q", name, got, want, slices.Sorted(maps.Keys(saw.Identity)))
		}
	}
}

// header finds a header by its name in any case.
func header(h http.Header, name string) []string {
	for k, v := range h {
		if strings.EqualFold(k, name) {
			return v
		}
	}
	return nil
}

// tells waits until the log has one line about the path, with this reason. The
// line is written when the answer has been. Lines about requests let through do
// not count, unless it is they that are wanted: the log has a sample of them.
func (g *gate) tells(t *testing.T, path string, reason authn.Reason) {
	t.Helper()
	err := wait.For(t.Context(), "the log line", 5*time.Second, func(context.Context) error {
		lines := g.logged(t, func(line map[string]any) bool {
			return line["path"] == path && (reason == authn.OK || !letThrough(line))
		})
		if len(lines) != 1 || lines[0]["reason"] != string(reason) {
			return fmt.Errorf("lines about %s: %v, want reason %s", path, lines, reason)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func letThrough(line map[string]any) bool { return line["reason"] == string(authn.OK) }

func reasonLabel(r authn.Reason) string { return fmt.Sprintf("reason=%q", r) }

// clusterIssuer returns the issuer of the cluster's tokens, which is an audience
// of the API server's too.
func clusterIssuer(t *testing.T) string {
	t.Helper()
	var document struct{ Issuer string }
	data, err := world.client.RESTClient().Get().AbsPath("/.well-known/openid-configuration").DoRaw(t.Context())
	if err == nil {
		err = json.Unmarshal(data, &document)
	}
	if err != nil {
		t.Fatal("discovery: ", err)
	}
	return document.Issuer
}
