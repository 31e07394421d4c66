package minicluster

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sallyport/internal/authn/jwt"
)

// kubernetes-tokens 4.2 and 4.4.
func TestReviewSaysWhoItIs(t *testing.T) {
	c := start(t, Options{})
	nodeUID := c.CreateNode("node-1")
	podUID := c.CreatePod("shop", "web-1", "web", "node-1")
	token := c.mustToken(t, web)
	s := c.ask(t, token, "app")
	if !s.Authenticated || s.User.Username != "system:serviceaccount:shop:web" || s.User.UID != c.objects.accounts[name{"shop", "web"}].uid {
		t.Fatalf("status = %+v", s)
	}
	equal(t, "groups", s.User.Groups, []string{"system:serviceaccounts", "system:serviceaccounts:shop", "system:authenticated"})
	equal(t, "audiences", s.Audiences, []string{"app"})
	parsed, err := jwt.Decode(token)
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{
		"pod-name": "web-1", "pod-uid": podUID, "node-name": "node-1", "node-uid": nodeUID, "credential-id": "JTI=" + parsed.Claims.ID,
	} {
		equal(t, key, s.User.Extra["authentication.kubernetes.io/"+key], []string{want})
	}
	if len(s.User.Extra) != 5 {
		t.Errorf("extra = %v", s.User.Extra)
	}
}

// kubernetes-tokens 4.3 and 6.1.
func TestReviewAudiences(t *testing.T) {
	c := start(t, Options{Issuers: []string{"https://one", "https://two"}})
	legacy, err := c.CreateSecretToken("shop", "old", "web")
	if err != nil {
		t.Fatal(err)
	}
	with := func(audiences ...string) string {
		r := web
		r.Audiences = audiences
		return c.mustToken(t, r)
	}
	for _, tt := range []struct {
		name, token string
		asked, want []string
	}{
		{"ours", with("app"), []string{"app"}, []string{"app"}},
		{"another", with("other"), []string{"app"}, nil},
		{"ours, none asked", with("app"), nil, nil},
		{"the API server's, none asked", with(), nil, []string{"https://one", "https://two"}},
		{"the API server's, ours asked", with(), []string{"app"}, nil},
		{"two of two in the order asked", with("a", "b"), []string{"b", "a"}, []string{"b", "a"}},
		{"one of two", with("a", "b"), []string{"b", "c"}, []string{"b"}},
		{"legacy, none asked", legacy, nil, []string{"https://one", "https://two"}},
		{"legacy, ours asked", legacy, []string{"app"}, nil},
		{"second issuer's name asked of a default token", with(), []string{"https://two"}, []string{"https://two"}},
	} {
		s := c.ask(t, tt.token, tt.asked...)
		equal(t, tt.name, s.Audiences, tt.want)
		if s.Authenticated != (tt.want != nil) {
			t.Errorf("%s: authenticated = %v", tt.name, s.Authenticated)
		}
		if tt.want == nil && !strings.Contains(s.Error, "is invalid for the target audiences") {
			t.Errorf("%s: error = %q", tt.name, s.Error)
		}
	}
}

// kubernetes-tokens 4.2: what is no bearer token at all is anonymous, and that
// is a yes; what follows a space is not looked at.
func TestReviewAnonymousTrap(t *testing.T) {
	c := start(t, Options{})
	good := c.mustToken(t, web)
	const anonymous, refused = "system:anonymous", ""
	for _, tt := range []struct{ name, token, want string }{
		{"good", good, subject("shop", "web")},
		{"a space before", " " + good, anonymous},
		{"two spaces before", "  " + good, anonymous},
		{"only a space", " ", anonymous},
		{"only a tab", "\t", anonymous},
		{"a space after", good + " ", subject("shop", "web")},
		{"junk after a space", good + " junk", subject("shop", "web")},
		{"a line break in the signature", good[:len(good)-20] + "\n" + good[len(good)-20:], subject("shop", "web")},
		{"a tab in the signature", good[:len(good)-20] + "\t" + good[len(good)-20:], subject("shop", "web")},
		{"a line break after", good + "\n", subject("shop", "web")},
		{"a space in the middle", good[:50] + " " + good[50:], refused},
		{"no JWT", "opaque", refused},
		{"two parts", "a.b", refused},
	} {
		s := c.ask(t, tt.token, "app")
		if s.User.Username != tt.want || s.Authenticated != (tt.want != refused) {
			t.Errorf("%s: %v %q, want %q", tt.name, s.Authenticated, s.User.Username, tt.want)
		}
		if tt.want == anonymous {
			equal(t, tt.name+": audiences", s.Audiences, []string{"app"})
			equal(t, tt.name+": groups", s.User.Groups, []string{"system:unauthenticated"})
		}
		if tt.want == refused && s.Error != "invalid bearer token" {
			t.Errorf("%s: error = %q", tt.name, s.Error)
		}
	}
}

// kubernetes-tokens 1.6: a minute of leeway on each, and an exp that is absent
// is none that is over.
func TestReviewTimes(t *testing.T) {
	c := start(t, Options{})
	for _, tt := range []struct {
		claim string
		in    int
		want  string
	}{
		{"exp", -58, ""},
		{"exp", -62, "service account token has expired"},
		{"nbf", 58, ""},
		{"nbf", 62, "service account token is not valid yet"},
		{"iat", 58, ""},
		{"iat", 62, "service account token is issued in the future"},
		{"exp", 0, ""},
	} {
		claims, err := c.Claims(web)
		if err != nil {
			t.Fatal(err)
		}
		claims[tt.claim] = time.Now().Add(seconds(tt.in)).Unix()
		if tt.in == 0 {
			delete(claims, tt.claim)
		}
		token, err := c.Sign(nil, claims)
		if err != nil {
			t.Fatal(err)
		}
		want := tt.want
		if want != "" {
			want = "[invalid bearer token, " + want + "]"
		}
		if s := c.ask(t, token, "app"); s.Error != want || s.Authenticated != (want == "") {
			t.Errorf("%s in %d s: %v %q, want %q", tt.claim, tt.in, s.Authenticated, s.Error, want)
		}
	}
}

// kubernetes-tokens 5: a yes is remembered for 10 s whatever happens, a no is
// not.
func TestReviewIsRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := start(t, Options{CacheTTL: successTTL})
		token := c.mustToken(t, web)
		c.DeletePod("shop", "web-1", 0)
		if c.ask(t, token, "app").Authenticated {
			t.Fatal("the pod is gone")
		}
		c.CreatePod("shop", "web-1", "web", "")
		token = c.mustToken(t, web)
		if !c.ask(t, token, "app").Authenticated {
			t.Fatal("the pod is back")
		}
		c.DeletePod("shop", "web-1", 0)
		time.Sleep(9 * time.Second)
		if !c.ask(t, token, "app").Authenticated {
			t.Error("forgotten after 9 s")
		}
		if c.ask(t, token, "app", "other").Authenticated {
			t.Error("remembered for other audiences")
		}
		time.Sleep(time.Second)
		if c.ask(t, token, "app").Authenticated {
			t.Error("remembered after 10 s")
		}
	})
}

func TestForget(t *testing.T) {
	c := start(t, Options{CacheTTL: time.Hour})
	token := c.mustToken(t, web)
	c.ask(t, token, "app")
	c.DeletePod("shop", "web-1", 0)
	c.Forget()
	if c.ask(t, token, "app").Authenticated {
		t.Error("not forgotten")
	}
}

func TestReviewCacheIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rc := newReviewCache(time.Second)
		fill := func() {
			for i := range maxReviewed + 1 {
				rc.put("t", []string{string(rune(i))}, user{})
			}
		}
		fill()
		if len(rc.entries) != maxReviewed {
			t.Errorf("%d entries", len(rc.entries))
		}
		time.Sleep(time.Second)
		rc.put("another", nil, user{})
		if len(rc.entries) != 1 {
			t.Errorf("%d entries after all were over", len(rc.entries))
		}
	})
}
