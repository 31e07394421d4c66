package minicluster

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"

	"sallyport/internal/authn/jwt"
)

// verify checks a token as an OIDC client does: with go-oidc and the key set as
// it is served.
func (c *Cluster) verifyOIDC(t *testing.T, token string) error {
	t.Helper()
	ctx := oidc.ClientContext(t.Context(), &http.Client{Transport: credential{c.gateToken(t), c.RoundTripper()}})
	keys := oidc.NewRemoteKeySet(ctx, "https://kubernetes.default.svc/openid/v1/jwks")
	config := &oidc.Config{ClientID: "app", SupportedSigningAlgs: []string{"RS256", "ES256", "ES384", "ES512"}}
	_, err := oidc.NewVerifier(c.Issuers()[0], keys, config).Verify(ctx, token)
	return err
}

// credential adds a bearer token.
type credential struct {
	token string
	next  http.RoundTripper
}

func (c credential) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+c.token)
	return c.next.RoundTrip(r)
}

func TestAlgorithms(t *testing.T) {
	for _, alg := range []string{"RS256", "ES256", "ES384", "ES512"} {
		c := start(t, Options{Algorithm: alg})
		token := c.mustToken(t, web)
		if err := c.verifyOIDC(t, token); err != nil {
			t.Errorf("%s: go-oidc: %v", alg, err)
		}
		if s := c.ask(t, token, "app"); !s.Authenticated {
			t.Errorf("%s: review: %s", alg, s.Error)
		}
	}
	if _, err := New(Options{Algorithm: "HS256"}); err == nil {
		t.Error("HS256 is an algorithm")
	}
}

// kubernetes-tokens 6.1 and 6.3: who accepts a token in each stage of a key's
// life.
func TestKeyRotation(t *testing.T) {
	c := start(t, Options{})
	first := c.SigningKey()
	old := c.mustToken(t, web)
	second, err := c.AddKey()
	if err != nil {
		t.Fatal(err)
	}
	if c.SigningKey() != first {
		t.Error("an added key signs at once")
	}
	check := func(stage string, token string, offline, review bool) {
		t.Helper()
		if err := c.verifyOIDC(t, token); (err == nil) != offline {
			t.Errorf("%s: go-oidc: %v, want good = %v", stage, err, offline)
		}
		if s := c.ask(t, token, "app"); s.Authenticated != review {
			t.Errorf("%s: review: %v %s, want %v", stage, s.Authenticated, s.Error, review)
		}
	}
	if err := c.SignWith(second); err != nil {
		t.Fatal(err)
	}
	fresh := c.mustToken(t, web)
	check("new key", fresh, true, true)
	check("old key still there", old, true, true)
	c.HideKey(second, true)
	check("new key hidden", fresh, false, true)
	c.HideKey(second, false)
	check("new key back", fresh, true, true)
	c.RemoveKey(first)
	check("old key removed", old, false, false)
	if s := c.ask(t, old, "app"); !strings.Contains(s.Error, "no keys found") {
		t.Errorf("error = %q", s.Error)
	}
	if c.SignWith(first) == nil {
		t.Error("signs with a key that is gone")
	}
}

func TestStrangersAndFriends(t *testing.T) {
	c := start(t, Options{})
	stranger := start(t, Options{Keys: SharedKeys(3, 1)})
	forged := stranger.mustToken(t, web)
	if err := c.verifyOIDC(t, forged); err == nil {
		t.Error("go-oidc accepts a stranger's token")
	}
	if c.ask(t, forged, "app").Authenticated {
		t.Error("review accepts a stranger's token")
	}
	// With the right kid the signature decides.
	claims, err := stranger.Claims(web)
	if err != nil {
		t.Fatal(err)
	}
	forged, err = stranger.Sign(c.Header(), claims)
	if err != nil {
		t.Fatal(err)
	}
	if s := c.ask(t, forged, "app"); s.Authenticated || !strings.Contains(s.Error, "cryptographic primitive") {
		t.Errorf("review of a stranger's token with our kid: %+v", s)
	}
	// Without a kid every key is tried.
	claims, err = c.Claims(web)
	if err != nil {
		t.Fatal(err)
	}
	token, err := c.Sign(map[string]any{"alg": "RS256"}, claims)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.RotateKey(); err != nil {
		t.Fatal(err)
	}
	if s := c.ask(t, token, "app"); !s.Authenticated {
		t.Errorf("review of a token without a kid: %s", s.Error)
	}
}

// kubernetes-tokens 6.1: any of the issuers is accepted, letter by letter.
func TestIssuers(t *testing.T) {
	c := start(t, Options{})
	old := c.mustToken(t, web)
	c.SetIssuers("https://new.example", DefaultIssuer)
	if s := c.ask(t, old, "app"); !s.Authenticated {
		t.Errorf("second issuer: %s", s.Error)
	}
	claims, err := c.Claims(web)
	if err != nil {
		t.Fatal(err)
	}
	if claims["iss"] != "https://new.example" {
		t.Errorf("iss = %v", claims["iss"])
	}
	equal(t, "API audiences", c.APIAudiences(), c.Issuers())
	claims["iss"] = "https://new.example/"
	token, err := c.Sign(nil, claims)
	if err != nil {
		t.Fatal(err)
	}
	if s := c.ask(t, token, "app"); s.Error != "invalid bearer token" {
		t.Errorf("iss with a slash more: %+v", s)
	}
	c.SetIssuers("https://new.example")
	if c.ask(t, old, "app").Authenticated {
		t.Error("an issuer that is gone")
	}
}

// Sign makes what is asked for, and what go-jose takes for good.
func TestSign(t *testing.T) {
	c := start(t, Options{})
	for _, alg := range []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"} {
		token, err := c.Sign(map[string]any{"alg": alg}, json.RawMessage(`{"a":1,"a":2}`))
		if err != nil {
			t.Fatal(err)
		}
		s, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(alg)})
		if err != nil {
			t.Fatal(err)
		}
		b, err := s.Verify(c.signingKey().signer.Public())
		if err != nil || string(b) != `{"a":1,"a":2}` {
			t.Errorf("%s: %v %s", alg, err, b)
		}
	}
	for _, header := range []string{`{"alg":"none"}`, `null`, `{`} {
		token, err := c.SignRaw([]byte(header), []byte("x"))
		if err != nil || strings.Count(token, ".") != 2 || strings.HasSuffix(token, ".") {
			t.Errorf("%s: %q %v", header, token, err)
		}
	}
	if _, err := c.Sign(nil, func() {}); err == nil {
		t.Error("signed a function")
	}
}

// kubernetes-tokens 1.2: no typ; exactly these claims.
func TestTokenClaims(t *testing.T) {
	c := start(t, Options{})
	token, err := jwt.Decode(c.mustToken(t, web))
	if err != nil {
		t.Fatal(err)
	}
	if token.Header != (jwt.Header{Algorithm: "RS256", KeyID: c.SigningKey()}) || len(token.Header.KeyID) != 43 {
		t.Errorf("header = %+v", token.Header)
	}
	var names []string
	for claim := range token.Claims.All {
		names = append(names, claim)
	}
	slices.Sort(names)
	equal(t, "claims", names, []string{"aud", "exp", "iat", "iss", "jti", "kubernetes.io", "nbf", "sub"})
	if string(token.Claims.All["aud"]) != `["app"]` {
		t.Errorf("aud = %s", token.Claims.All["aud"])
	}
	if d := token.Claims.Expires.Sub(token.Claims.IssuedAt); d != time.Hour || token.Claims.NotBefore != token.Claims.IssuedAt {
		t.Errorf("life = %s, nbf = %s", d, token.Claims.NotBefore)
	}
	// The node does not exist: a name without a uid.
	k := token.Claims.Kubernetes
	if k.Pod.Name != "web-1" || k.Node != (jwt.Ref{Name: "node-1"}) || k.ServiceAccountSubject() != token.Claims.Subject {
		t.Errorf("kubernetes.io = %+v", k)
	}
	if strings.Contains(string(token.Claims.All["kubernetes.io"]), `"uid":""`) {
		t.Error("an empty uid is written")
	}
}

// kubernetes-tokens 1.3: pod-bound, exactly 3607 s, for the API server alone.
func TestExtendedTokens(t *testing.T) {
	c := start(t, Options{})
	for _, tt := range []struct {
		name      string
		ttl       time.Duration
		pod       string
		audiences []string
		want      time.Duration
	}{
		{"automounted", seconds(3607), "web-1", nil, 31536000 * time.Second},
		{"the API server by name", seconds(3607), "web-1", []string{DefaultIssuer}, 31536000 * time.Second},
		{"3600", seconds(3600), "web-1", nil, seconds(3600)},
		{"unbound", seconds(3607), "", nil, seconds(3607)},
		{"another audience", seconds(3607), "web-1", []string{"app"}, seconds(3607)},
		{"another audience too", seconds(3607), "web-1", []string{"app", DefaultIssuer}, seconds(3607)},
	} {
		token, err := jwt.Decode(c.mustToken(t, Request{"shop", "web", tt.audiences, tt.ttl, tt.pod, "", ""}))
		if err != nil {
			t.Fatal(err)
		}
		if got := token.Claims.Expires.Sub(token.Claims.IssuedAt); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
		warn := token.Claims.Kubernetes.WarnAfter
		if tt.want == tt.ttl && !warn.IsZero() || tt.want != tt.ttl && warn.Sub(token.Claims.IssuedAt) != tt.ttl {
			t.Errorf("%s: warnafter = %s", tt.name, warn)
		}
	}
}
