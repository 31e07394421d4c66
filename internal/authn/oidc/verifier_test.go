package oidc

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	gooidc "github.com/coreos/go-oidc/v3/oidc"
	"go.uber.org/zap"

	"sallyport/internal/authn"
	"sallyport/internal/authn/jwt"
)

func clusterRules() *Rules {
	return &Rules{
		Issuers: NewNames(issuer, "https://former.example"), Audiences: []string{ours, "second"},
		APIAudiences: NewNames("https://api.example"), Leeway: time.Minute,
		Algorithms: ClusterAlgorithms, Types: ClusterTypes, Identity: ServiceAccount,
	}
}

// fetched returns a key set that was fetched once.
func fetched(t testing.TB, keys ...json.RawMessage) *KeySet {
	t.Helper()
	p := &publisher{}
	p.publish(keys...)
	s := NewKeySet(issuer, p.fetch, usual, zap.NewNop(), nil)
	<-s.due()
	if err := s.Err(); err != nil {
		t.Fatal(err)
	}
	return s
}

// clusterKeySet has a key of each kind that Kubernetes signs with.
func clusterKeySet(t testing.TB) *KeySet {
	return fetched(t,
		jwk(rsaKey(), "rsa", nil), jwk(p256(), "p256", nil), jwk(p384(), "p384", nil), jwk(p521(), "p521", nil),
		jwk(otherRSA(), "labelled", map[string]any{"alg": "RS256", "use": "sig"}))
}

func es256(header, claims map[string]any) string {
	h := map[string]any{"kid": "p256"}
	for k, v := range header {
		h[k] = v
	}
	return sign("ES256", p256(), h, claims)
}

func TestVerifierAccepts(t *testing.T) {
	v := NewVerifier(clusterRules(), clusterKeySet(t))
	now := time.Now().Unix()
	c := serviceAccountClaims
	for name, token := range map[string]string{
		"RS256":                 sign("RS256", rsaKey(), map[string]any{"kid": "rsa"}, c(nil)),
		"RS256, labelled key":   sign("RS256", otherRSA(), map[string]any{"kid": "labelled"}, c(nil)),
		"ES256":                 es256(nil, c(nil)),
		"ES384":                 sign("ES384", p384(), map[string]any{"kid": "p384"}, c(nil)),
		"ES512":                 sign("ES512", p521(), map[string]any{"kid": "p521"}, c(nil)),
		"no key id, one fits":   sign("ES384", p384(), nil, c(nil)),
		"typ JWT":               es256(map[string]any{"typ": "JWT"}, c(nil)),
		"typ jwt":               es256(map[string]any{"typ": "jwt"}, c(nil)),
		"another known issuer":  es256(nil, c(map[string]any{"iss": "https://former.example"})),
		"audience as a string":  es256(nil, c(map[string]any{"aud": ours})),
		"ours among others":     es256(nil, c(map[string]any{"aud": []string{"x", ours, "y"}})),
		"expired within leeway": es256(nil, c(map[string]any{"exp": now - 50})),
		"early within leeway":   es256(nil, c(map[string]any{"nbf": now + 50, "iat": now + 50})),
		"no nbf, no iat":        es256(nil, c(map[string]any{"nbf": nil, "iat": nil})),
	} {
		id, err := v.Authenticate(t.Context(), token)
		if err != nil || id.Subject != "system:serviceaccount:ns:app" || id.Proof == nil || !id.Proof.Stands() || id.Standing != authn.Local {
			t.Errorf("%s: %+v, %v", name, id, err)
		}
	}
}

func TestVerifiedIdentity(t *testing.T) {
	v := NewVerifier(clusterRules(), clusterKeySet(t))
	exp := time.Now().Add(time.Hour).Truncate(time.Second)
	id, err := v.Authenticate(t.Context(), es256(nil, serviceAccountClaims(map[string]any{"exp": exp.Unix(), "aud": []string{"x", "second", ours}})))
	if err != nil {
		t.Fatal(err)
	}
	if !id.Expires.Equal(exp.Add(time.Minute)) {
		t.Errorf("expires %v, want exp and the leeway", id.Expires)
	}
	if !reflect.DeepEqual(id.Audiences, []string{ours, "second"}) {
		t.Errorf("audiences %q, want ours and no others", id.Audiences)
	}
	if id.Proof.Issuer != issuer || id.Proof.KeyID != "p256" {
		t.Errorf("proof %q %q", id.Proof.Issuer, id.Proof.KeyID)
	}
}

func TestVerifierRefuses(t *testing.T) {
	v := NewVerifier(clusterRules(), clusterKeySet(t))
	now := time.Now().Unix()
	with := func(name string, value any) string {
		return es256(nil, serviceAccountClaims(map[string]any{name: value}))
	}
	good := es256(nil, serviceAccountClaims(nil))
	h, c, s := parts(good)
	_, elsewhere, _ := parts(with("sub", "system:serviceaccount:ns:admin"))
	kube := func(k map[string]any) string { return with("kubernetes.io", k) }
	account := map[string]any{"name": "app", "uid": "u1"}
	for name, tc := range map[string]struct {
		token string
		want  authn.Reason
	}{
		"nothing":                    {"", authn.Malformed},
		"no JWT":                     {"opaque", authn.Malformed},
		"two parts":                  {h + "." + c, authn.Malformed},
		"crit":                       {es256(map[string]any{"crit": []string{"x"}, "x": 1}, serviceAccountClaims(nil)), authn.Malformed},
		"too large":                  {with("x", strings.Repeat("x", authn.MaxToken)), authn.TooLarge},
		"no exp":                     {with("exp", nil), authn.Claims},
		"no sub":                     {with("sub", nil), authn.Claims},
		"empty sub":                  {with("sub", ""), authn.Claims},
		"legacy":                     {with("iss", "kubernetes/serviceaccount"), authn.Legacy},
		"another issuer":             {with("iss", "https://stranger.example"), authn.Issuer},
		"issuer with a slash":        {with("iss", issuer+"/"), authn.Issuer},
		"issuer in capitals":         {with("iss", strings.ToUpper(issuer)), authn.Issuer},
		"no issuer":                  {with("iss", nil), authn.Issuer},
		"PS256":                      {sign("PS256", rsaKey(), map[string]any{"kid": "rsa"}, serviceAccountClaims(nil)), authn.Algorithm},
		"RS512":                      {sign("RS512", rsaKey(), map[string]any{"kid": "rsa"}, serviceAccountClaims(nil)), authn.Algorithm},
		"typ at+jwt":                 {es256(map[string]any{"typ": "at+jwt"}, serviceAccountClaims(nil)), authn.Type},
		"typ dpop":                   {es256(map[string]any{"typ": "dpop+jwt"}, serviceAccountClaims(nil)), authn.Type},
		"another audience":           {with("aud", "theirs"), authn.Audience},
		"no audience":                {with("aud", nil), authn.Audience},
		"empty audience":             {with("aud", ""), authn.Audience},
		"no audiences":               {with("aud", []string{}), authn.Audience},
		"audience as a prefix":       {with("aud", ours+"/x"), authn.Audience},
		"audience in capitals":       {with("aud", strings.ToUpper(ours)), authn.Audience},
		"the API server's too":       {with("aud", []string{ours, "https://api.example"}), authn.APIAudience},
		"expired":                    {with("exp", now-61), authn.Expired},
		"expired long ago":           {with("exp", 0), authn.Expired},
		"not yet valid":              {with("nbf", now+65), authn.NotYetValid},
		"issued in the future":       {with("iat", now+65), authn.NotYetValid},
		"no kubernetes.io":           {with("kubernetes.io", nil), authn.Claims},
		"no service account":         {kube(map[string]any{"namespace": "ns"}), authn.Claims},
		"no namespace":               {kube(map[string]any{"serviceaccount": account}), authn.Claims},
		"sub of another":             {with("sub", "system:serviceaccount:ns:admin"), authn.Claims},
		"namespace of another":       {kube(map[string]any{"namespace": "kube-system", "serviceaccount": account}), authn.Claims},
		"names shifted by a colon":   {kube(map[string]any{"namespace": "ns:app", "serviceaccount": map[string]any{"name": "x"}}), authn.Claims},
		"unknown key":                {es256(map[string]any{"kid": "unknown"}, serviceAccountClaims(nil)), authn.UnknownKey},
		"key id in capitals":         {es256(map[string]any{"kid": "P256"}, serviceAccountClaims(nil)), authn.UnknownKey},
		"no key id, several fit":     {sign("RS256", rsaKey(), nil, serviceAccountClaims(nil)), authn.UnknownKey},
		"ES256 under a P-384 id":     {sign("ES256", p256(), map[string]any{"kid": "p384"}, serviceAccountClaims(nil)), authn.UnknownKey},
		"RS256 under a P-256 id":     {sign("RS256", rsaKey(), map[string]any{"kid": "p256"}, serviceAccountClaims(nil)), authn.UnknownKey},
		"a stranger's key, our id":   {sign("ES256", otherP256(), map[string]any{"kid": "p256"}, serviceAccountClaims(nil)), authn.Signature},
		"another of our keys":        {sign("RS256", otherRSA(), map[string]any{"kid": "rsa"}, serviceAccountClaims(nil)), authn.Signature},
		"claims of another":          {h + "." + elsewhere + "." + s, authn.Claims},
		"a changed signature":        {h + "." + c + "." + flip(s), authn.Signature},
		"a short signature":          {h + "." + c + "." + s[:84], authn.Signature},
		"a signature of nothing":     {h + "." + c + ".AA", authn.Signature},
		"a signature of zeros":       {h + "." + c + "." + strings.Repeat("A", len(s)), authn.Signature},
		"RSA's public key as secret": {hmacWith(rsaKey(), "rsa"), authn.Algorithm},
		"none":                       {raw(`{"alg":"none"}`) + "." + c + ".AA", authn.Algorithm},
		"none, no signature":         {raw(`{"alg":"none"}`) + "." + c + ".", authn.Malformed},
	} {
		id, err := v.Authenticate(t.Context(), tc.token)
		want(t, name, err, tc.want)
		if !reflect.DeepEqual(id, authn.Identity{}) {
			t.Errorf("%s: refused with %+v", name, id)
		}
		if err != nil && s != "" && strings.Contains(err.Error(), s) {
			t.Errorf("%s: the signature is in %v", name, err)
		}
	}
}

// Only what decides about the key and signature of other providers' tokens: the
// cluster's list of algorithms is shorter.
func TestAlgorithmConfusion(t *testing.T) {
	r := clusterRules()
	r.Algorithms = jwt.Algorithms
	v := NewVerifier(r, clusterKeySet(t))
	for name, tc := range map[string]struct {
		token string
		want  authn.Reason
	}{
		"PS256 under a key without a label": {sign("PS256", rsaKey(), map[string]any{"kid": "rsa"}, serviceAccountClaims(nil)), ""},
		"PS256 under a key for RS256":       {sign("PS256", otherRSA(), map[string]any{"kid": "labelled"}, serviceAccountClaims(nil)), authn.UnknownKey},
		"RS384 under a key for RS256":       {sign("RS384", otherRSA(), map[string]any{"kid": "labelled"}, serviceAccountClaims(nil)), authn.UnknownKey},
		"PS256, said to be RS256":           {relabel(sign("PS256", rsaKey(), nil, serviceAccountClaims(nil)), `{"alg":"RS256","kid":"rsa"}`), authn.Signature},
		"ES384, said to be ES256":           {relabel(sign("ES384", p384(), nil, serviceAccountClaims(nil)), `{"alg":"ES256","kid":"p256"}`), authn.Signature},
	} {
		_, err := v.Authenticate(t.Context(), tc.token)
		want(t, name, err, tc.want)
	}
}

func parts(token string) (h, c, s string) {
	p := strings.Split(token, ".")
	return p[0], p[1], p[2]
}

func raw(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

func relabel(token, header string) string {
	_, c, s := parts(token)
	return raw(header) + "." + c + "." + s
}

// flip changes the first character of a signature, all of whose bits count.
func flip(s string) string {
	if s[0] == 'A' {
		return "B" + s[1:]
	}
	return "A" + s[1:]
}

// hmacWith signs with the PEM of the public key, which everybody knows.
func hmacWith(key crypto.Signer, id string) string {
	der := must(x509.MarshalPKIXPublicKey(key.Public()))
	secret := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	return sign("HS256", secret, map[string]any{"kid": id}, serviceAccountClaims(nil))
}

// A token that cannot succeed causes no fetch, whatever its key id.
func TestCheapChecksComeFirst(t *testing.T) {
	p := &publisher{}
	p.publish(jwk(p256(), "a", nil))
	s := NewKeySet(issuer, p.fetch, Lifetimes{Interval: time.Hour, Cooldown: 0, RemovalPause: time.Minute}, zap.NewNop(), nil)
	<-s.due()
	v := NewVerifier(clusterRules(), s)
	unknown := map[string]any{"kid": "unknown"}
	for _, change := range []map[string]any{{"iss": "x"}, {"aud": "x"}, {"aud": []string{ours, "https://api.example"}}, {"exp": 1}, {"sub": "x"}} {
		v.Authenticate(t.Context(), es256(unknown, serviceAccountClaims(change)))
	}
	if n := len(p.fetches()); n != 1 {
		t.Errorf("%d fetches, want the first alone", n)
	}
	v.Authenticate(t.Context(), es256(unknown, serviceAccountClaims(nil)))
	if n := len(p.fetches()); n != 2 {
		t.Errorf("%d fetches, want one for the key that is not known", n)
	}
}

func TestKeysUnavailable(t *testing.T) {
	s := NewKeySet(issuer, (&publisher{err: errDown}).fetch, usual, zap.NewNop(), nil)
	<-s.due()
	v := NewVerifier(clusterRules(), s)
	_, err := v.Authenticate(t.Context(), es256(nil, serviceAccountClaims(nil)))
	want(t, "good token", err, authn.KeysUnavailable)
	_, err = v.Authenticate(t.Context(), es256(nil, serviceAccountClaims(map[string]any{"exp": 1})))
	want(t, "expired token", err, authn.Expired)
}

func TestCallerGoesAway(t *testing.T) {
	s := fetched(t, jwk(p256(), "p256", nil))
	s.life.Cooldown = 0
	s.source = hang
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := NewVerifier(clusterRules(), s).Authenticate(ctx, es256(map[string]any{"kid": "unknown"}, serviceAccountClaims(nil)))
	if !errors.Is(err, context.Canceled) {
		t.Errorf("err = %v", err)
	}
}

// Two keys under one id: the one that verifies is the proof.
func TestProofIsTheKeyThatVerified(t *testing.T) {
	s := fetched(t, jwk(otherP256(), "p256", nil), jwk(p256(), "p256", nil))
	v := NewVerifier(clusterRules(), s)
	first, err1 := v.Authenticate(t.Context(), sign("ES256", otherP256(), map[string]any{"kid": "p256"}, serviceAccountClaims(nil)))
	second, err2 := v.Authenticate(t.Context(), es256(nil, serviceAccountClaims(nil)))
	if err1 != nil || err2 != nil || first.Proof == second.Proof || first.Proof != s.keys[0].proof || second.Proof != s.keys[1].proof {
		t.Errorf("%v %v, proofs %p %p", err1, err2, first.Proof, second.Proof)
	}
}

func TestClaimed(t *testing.T) {
	r := clusterRules()
	id, err := r.Claimed(t.Context(), sign("ES256", otherP256(), nil, serviceAccountClaims(nil)))
	if err != nil || id.Subject != "system:serviceaccount:ns:app" || id.Proof != nil {
		t.Errorf("%+v, %v; want what is claimed, and no proof", id, err)
	}
	id, err = r.Claimed(t.Context(), es256(nil, serviceAccountClaims(map[string]any{"exp": 1})))
	want(t, "expired", err, authn.Expired)
	if id.Subject != "" {
		t.Errorf("refused with %+v", id)
	}
}

func TestAudienceRules(t *testing.T) {
	for name, tc := range map[string]struct {
		ours, api []string
		aud       any
		want      authn.Reason
	}{
		"ours":                      {[]string{"a"}, nil, "a", ""},
		"nobody's":                  {nil, nil, "a", authn.Audience},
		"ours is the API server's":  {[]string{"api"}, []string{"api"}, "api", ""},
		"only that one of them":     {[]string{"api"}, []string{"api", "api2"}, []string{"api", "api2"}, authn.APIAudience},
		"the API server's alone":    {[]string{"a"}, []string{"api"}, "api", authn.Audience},
		"ours and a stranger's":     {[]string{"a"}, []string{"api"}, []string{"a", "b"}, ""},
		"ours and the API server's": {[]string{"a"}, []string{"api"}, []string{"a", "api"}, authn.APIAudience},
	} {
		r := clusterRules()
		r.Audiences, r.APIAudiences = tc.ours, NewNames(tc.api...)
		_, err := r.Claimed(t.Context(), es256(nil, serviceAccountClaims(map[string]any{"aud": tc.aud})))
		want(t, name, err, tc.want)
	}
	r := clusterRules()
	r.APIAudiences = nil
	_, err := r.Claimed(t.Context(), es256(nil, serviceAccountClaims(map[string]any{"aud": []string{ours, "https://api.example"}})))
	want(t, "no API audiences", err, "")
}

func TestCheckNames(t *testing.T) {
	names := map[string]bool{}
	for _, c := range NewVerifier(clusterRules(), nil).checks {
		if c.Name == "" || names[c.Name] || c.Func == nil || c.Reason.Description() == "" {
			t.Errorf("%+v", c)
		}
		names[c.Name] = true
	}
}

// What we rely on in go-oidc v3.21 (oidc/verify.go): with these settings it
// checks signature and algorithm, and leaves times and audiences to us. What it
// lets through and we do not is in TestVerifierRefuses.
func TestGoOIDC(t *testing.T) {
	ask := func(token string) error {
		_, err := (&gooidc.StaticKeySet{PublicKeys: []crypto.PublicKey{p256().Public()}}).VerifySignature(t.Context(), token)
		return err
	}
	expired := es256(nil, serviceAccountClaims(map[string]any{"exp": 1, "aud": "x"}))
	h, c, s := parts(expired)
	for name, tc := range map[string]struct {
		err  error
		good bool
	}{
		"times and audience are ours": {ask(expired), true},
		"the key id is ours":          {ask(es256(map[string]any{"kid": "any"}, serviceAccountClaims(nil))), true},
		"the issuer is ours":          {ask(es256(nil, serviceAccountClaims(map[string]any{"iss": "x"}))), true},
		"what else it reads is ours":  {ask(es256(nil, serviceAccountClaims(map[string]any{"nonce": 1, "_claim_names": "x"}))), true},
		"another algorithm":           {ask(relabel(expired, `{"alg":"ES384"}`)), false},
		"no algorithm":                {ask(relabel(expired, `{"alg":"none"}`)), false},
		"changed signature":           {ask(h + "." + c + "." + flip(s)), false},
		"another key":                 {ask(sign("ES256", otherP256(), nil, serviceAccountClaims(nil))), false},
	} {
		if (tc.err == nil) != tc.good {
			t.Errorf("%s: %v", name, tc.err)
		}
	}
}

func TestClip(t *testing.T) {
	long := strings.Repeat("x", 300)
	for _, tc := range []struct {
		in   []string
		want string
	}{
		{nil, ""}, {[]string{"a", "b"}, "a b"}, {[]string{long}, long[:200] + "..."}, {[]string{"a", long, "b"}, "a " + long[:198] + "..."},
	} {
		if got := clip(tc.in...); got != tc.want {
			t.Errorf("clip(%q) = %q", tc.in, got)
		}
	}
}

func FuzzAuthenticate(f *testing.F) {
	v := NewVerifier(clusterRules(), clusterKeySet(f))
	good := es256(nil, serviceAccountClaims(nil))
	h, c, s := parts(good)
	for _, seed := range []string{"", ".", "..", good, good + "=", h + "." + c + ".", h + "." + c + "." + flip(s), relabel(good, `{"alg":"none"}`), hmacWith(rsaKey(), "rsa"), `{"payload":"` + c + `"}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, token string) {
		id, err := v.Authenticate(t.Context(), token)
		if (err == nil) != (id.Subject != "") {
			t.Fatalf("%+v, %v", id, err)
		}
		if e := explained(t, v, token); (e == nil) != (err == nil) || e != nil && authn.ReasonOf(e) != authn.ReasonOf(err) {
			t.Fatalf("%v, and explained: %v", err, e)
		}
		// The good token stays good for as long as the fuzzer runs in an hour;
		// nobody can make another without a key.
		if err == nil && token != good {
			t.Fatalf("admitted %q", token)
		}
		if err != nil && !errors.Is(err, authn.ErrUnauthenticated) {
			t.Fatalf("%v", err)
		}
	})
}
