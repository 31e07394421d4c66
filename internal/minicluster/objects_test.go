package minicluster

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const invalidated = "service account token has been invalidated"

// kubernetes-tokens 7: what a token belongs to has to be there, and the same.
func TestReviewObjects(t *testing.T) {
	bound := func(kind string) Request {
		r := Request{Namespace: "shop", ServiceAccount: "web", Audiences: []string{"app"}}
		switch kind {
		case "pod":
			r.Pod = "web-1"
		case "secret":
			r.Secret = "s"
		case "node":
			r.Node = "node-1"
		}
		return r
	}
	for _, tt := range []struct {
		name, bound string
		do          func(*Cluster)
		want        string // in the error; "" is a yes
	}{
		{"nothing", "pod", func(c *Cluster) {}, ""},
		{"pod deleted", "pod", func(c *Cluster) { c.DeletePod("shop", "web-1", 0) }, invalidated},
		{"pod deleted, token unbound", "", func(c *Cluster) { c.DeletePod("shop", "web-1", 0) }, ""},
		{"pod made again", "pod", func(c *Cluster) { c.CreatePod("shop", "web-1", "web", "") }, "pod UID"},
		{"pod with a grace", "pod", func(c *Cluster) { c.DeletePod("shop", "web-1", seconds(5)) }, ""},
		{"account deleted", "pod", func(c *Cluster) { c.DeleteServiceAccount("shop", "web", 0) }, `serviceaccounts "web" not found`},
		{"account with a grace", "pod", func(c *Cluster) { c.DeleteServiceAccount("shop", "web", seconds(5)) }, ""},
		{"account made again", "pod", func(c *Cluster) { c.CreateServiceAccount("shop", "web") }, "service account UID"},
		{"secret there", "secret", func(c *Cluster) {}, ""},
		{"secret deleted", "secret", func(c *Cluster) { c.DeleteSecret("shop", "s", 0) }, invalidated},
		{"secret made again", "secret", func(c *Cluster) { c.CreateSecret("shop", "s") }, "secret UID"},
		{"node there", "node", func(c *Cluster) {}, ""},
		{"node deleted", "node", func(c *Cluster) { c.DeleteNode("node-1", 0) }, invalidated},
		{"node made again", "node", func(c *Cluster) { c.CreateNode("node-1") }, "node UID"},
		{"node of a pod deleted", "pod", func(c *Cluster) { c.DeleteNode("node-1", 0) }, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := start(t, Options{})
			c.CreateSecret("shop", "s")
			c.CreateNode("node-1")
			token := c.mustToken(t, bound(tt.bound))
			tt.do(c)
			s := c.ask(t, token, "app")
			if s.Authenticated != (tt.want == "") || !strings.Contains(s.Error, tt.want) {
				t.Errorf("%v %q, want %q", s.Authenticated, s.Error, tt.want)
			}
		})
	}
}

// kubernetes-tokens 7: an object that lingers is good for its grace and a
// minute.
func TestReviewGrace(t *testing.T) {
	for _, tt := range []struct {
		name   string
		token  Request
		delete func(*Cluster)
	}{
		{"pod", web, func(c *Cluster) { c.DeletePod("shop", "web-1", seconds(5)) }},
		{"account", web, func(c *Cluster) { c.DeleteServiceAccount("shop", "web", seconds(5)) }},
		{"secret", Request{Namespace: "shop", ServiceAccount: "web", Secret: "s", Audiences: []string{"app"}}, func(c *Cluster) { c.DeleteSecret("shop", "s", seconds(5)) }},
		{"node", Request{Namespace: "shop", ServiceAccount: "web", Node: "n", Audiences: []string{"app"}}, func(c *Cluster) { c.DeleteNode("n", seconds(5)) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := start(t, Options{})
				c.CreateSecret("shop", "s")
				c.CreateNode("n")
				token := c.mustToken(t, tt.token)
				tt.delete(c)
				time.Sleep(65 * time.Second)
				if !c.ask(t, token, "app").Authenticated {
					t.Error("refused 65 s after a deletion with a grace of 5 s")
				}
				time.Sleep(time.Second)
				if c.ask(t, token, "app").Authenticated {
					t.Error("accepted after 66 s")
				}
			})
		})
	}
}

// kubernetes-tokens 1.4.
func TestReviewLegacy(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   func(*Cluster)
		want string
	}{
		{"nothing", func(c *Cluster) {}, ""},
		{"secret deleted", func(c *Cluster) { c.DeleteSecret("shop", "old", 0) }, invalidated},
		{"secret with a grace has none", func(c *Cluster) { c.DeleteSecret("shop", "old", seconds(60)) }, invalidated},
		{"secret with another token", func(c *Cluster) { c.CreateSecret("shop", "old") }, "does not match server's copy"},
		{"account deleted", func(c *Cluster) { c.DeleteServiceAccount("shop", "web", 0) }, "not found"},
		{"account with a grace has none", func(c *Cluster) { c.DeleteServiceAccount("shop", "web", seconds(60)) }, "has been deleted"},
		{"account made again", func(c *Cluster) { c.CreateServiceAccount("shop", "web") }, "service account UID"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := start(t, Options{})
			token, err := c.CreateSecretToken("shop", "old", "web")
			if err != nil {
				t.Fatal(err)
			}
			tt.do(c)
			s := c.ask(t, token)
			if s.Authenticated != (tt.want == "") || !strings.Contains(s.Error, tt.want) {
				t.Errorf("%v %q, want %q", s.Authenticated, s.Error, tt.want)
			}
			if s.Authenticated && s.User.Extra != nil {
				t.Errorf("extra = %v, want none", s.User.Extra)
			}
		})
	}
}

// kubernetes-tokens 1.4: every claim has to be there, and sub has to agree.
func TestReviewLegacyClaims(t *testing.T) {
	c := start(t, Options{})
	const prefix = "kubernetes.io/serviceaccount/"
	good := func() map[string]any {
		return map[string]any{
			"iss": legacyIssuer, "sub": subject("shop", "web"), prefix + "namespace": "shop", prefix + "secret.name": "old",
			prefix + "service-account.name": "web", prefix + "service-account.uid": "u",
		}
	}
	for _, tt := range []struct {
		claim string
		value any
		want  string
	}{
		{"sub", nil, "sub claim is missing"},
		{"sub", subject("shop", "admin"), "sub claim is invalid"},
		{prefix + "namespace", nil, "namespace claim is missing"},
		{prefix + "secret.name", nil, "secretName claim is missing"},
		{prefix + "service-account.name", nil, "serviceAccountName claim is missing"},
		{prefix + "service-account.uid", nil, "serviceAccountUID claim is missing"},
	} {
		claims := good()
		claims[tt.claim] = tt.value
		if tt.value == nil {
			delete(claims, tt.claim)
		}
		token, err := c.Sign(nil, claims)
		if err != nil {
			t.Fatal(err)
		}
		if s := c.ask(t, token); s.Authenticated || !strings.Contains(s.Error, tt.want) {
			t.Errorf("%s = %v: %v %q, want %q", tt.claim, tt.value, s.Authenticated, s.Error, tt.want)
		}
	}
	if _, err := c.CreateSecretToken("shop", "old", "nobody"); err == nil {
		t.Error("a Secret token for nobody")
	}
}
