package oidc

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	strictjson "github.com/go-json-experiment/json"

	"sallyport/internal/authn/jwt"
)

// A key that is taken is one by RFC 7517 and 7518, read apart from the library
// that took it, with the numbers that stand there.
func FuzzParseKeys(f *testing.F) {
	for _, k := range []crypto.Signer{p256(), p384(), p521(), rsaKey()} {
		f.Add(jwks(jwk(k, "a", nil)))
	}
	f.Add(jwks(private([]byte("secret")), private(p256())))
	f.Fuzz(func(t *testing.T, body []byte) {
		keys, err := parseKeys("i", body)
		if (len(keys) == 0) != (err != nil) || len(keys) > maxKeys {
			t.Fatalf("%d keys, %v", len(keys), err)
		}
		var set struct{ Keys []json.RawMessage }
		if err == nil && json.Unmarshal(body, &set) != nil {
			t.Fatalf("%d keys of %q", len(keys), body)
		}
		taken := 0
		for _, raw := range set.Keys {
			k := parseKey("i", raw)
			if k == nil {
				continue
			}
			taken++
			algs := usable(raw)
			for _, alg := range append([]string{"", "none", "HS256", "EdDSA"}, jwt.Algorithms...) {
				if k.fits(alg) && !slices.Contains(algs, alg) {
					t.Errorf("%s is taken for %q", raw, alg)
				}
			}
			if len(algs) == 0 || k.proof == nil || k.proof.KeyID != k.KeyID || !written(raw, k) {
				t.Errorf("%s is taken as %+v", raw, k.JSONWebKey)
			}
		}
		if taken != len(keys) {
			t.Errorf("%d of %d keys", len(keys), taken)
		}
	})
}

// usable returns the algorithms whose signatures a JWK may verify.
func usable(raw []byte) []string {
	var m map[string]any
	if json.Unmarshal(raw, &m) != nil {
		return nil
	}
	for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"} {
		if v, _ := m[private].(string); v != "" {
			return nil
		}
	}
	if use, ok := m["use"].(string); ok && use != "" && use != "sig" {
		return nil
	}
	var algs []string
	switch m["kty"] {
	case "RSA":
		n, e := number(m["n"]), number(m["e"])
		// RFC 8017 section 3.1: e is odd, and from 3.
		if n.BitLen() >= 2048 && n.BitLen() <= 8192 && e.Cmp(big.NewInt(3)) >= 0 && e.Bit(0) == 1 {
			algs = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}
		}
	case "EC":
		c, ok := curves[fmt.Sprint(m["crv"])]
		if x, y := number(m["x"]), number(m["y"]); ok && x.BitLen() <= 8*c.size && y.BitLen() <= 8*c.size {
			point := append([]byte{4}, x.FillBytes(make([]byte, c.size))...)
			if _, err := c.NewPublicKey(append(point, y.FillBytes(make([]byte, c.size))...)); err == nil {
				algs = []string{c.alg}
			}
		}
	}
	if alg, ok := m["alg"].(string); ok && alg != "" {
		algs = slices.DeleteFunc(algs, func(a string) bool { return a != alg })
	}
	return algs
}

type curve struct {
	ecdh.Curve
	size int
	alg  string
}

var curves = map[string]curve{"P-256": {ecdh.P256(), 32, "ES256"}, "P-384": {ecdh.P384(), 48, "ES384"}, "P-521": {ecdh.P521(), 66, "ES512"}}

// written reports whether a JWK has the very numbers of k.
func written(raw []byte, k *key) bool {
	var m map[string]any
	if json.Unmarshal(raw, &m) != nil {
		return false
	}
	switch pub := k.Key.(type) {
	case *rsa.PublicKey:
		return pub.N.Cmp(number(m["n"])) == 0 && int64(pub.E) == number(m["e"]).Int64() // go-jose keeps 64 bits
	case *ecdsa.PublicKey:
		b, err := pub.Bytes()
		size := (len(b) - 1) / 2
		return err == nil && new(big.Int).SetBytes(b[1:1+size]).Cmp(number(m["x"])) == 0 && new(big.Int).SetBytes(b[1+size:]).Cmp(number(m["y"])) == 0
	}
	return false
}

// number is RFC 7518 section 6.3.1.1's, or zero. Padding is tolerated.
func number(v any) *big.Int {
	s, _ := v.(string)
	b, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(s, "="))
	if err != nil {
		return new(big.Int)
	}
	return new(big.Int).SetBytes(b)
}

// Keys come from where a document of the issuer's own says, over a connection
// that nobody can listen to, as they are; or not at all.
func FuzzDiscovery(f *testing.F) {
	f.Add(about(issuer, keysURL), []byte(`{"keys":[]}`), 200, "max-age=60")
	f.Add(about(issuer, "http://127.0.0.1/x"), []byte(`{}`), 302, "no-store")
	f.Fuzz(func(t *testing.T, doc, keys []byte, code int, cacheControl string) {
		if code < 200 || code > 599 {
			return // no status of an answer
		}
		s := &site{pages: map[string]http.HandlerFunc{docURL: page(doc), keysURL: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Cache-Control", cacheControl)
			w.Header().Set("Location", "http://elsewhere.example/")
			w.WriteHeader(code)
			w.Write(keys)
		}}}
		got, err := Discovered(issuer, "", s.client())(t.Context())
		var about map[string]any
		readable := strictjson.Unmarshal(doc, &about) == nil // no name twice
		uri, _ := about["jwks_uri"].(string)
		uri = strings.TrimSuffix(uri, "#") // net/url knows no empty fragment
		names := len(uri) > 5 && strings.ToLower(uri[:5])+uri[5:] == keysURL && about["issuer"] == issuer
		if good := code == 200 && len(keys) <= maxDocument && readable && names; good != (err == nil) {
			t.Errorf("%d, %q: %v", code, doc, err)
		}
		if err == nil && (string(got.Keys) != string(keys) || got.MaxAge != 0 && (got.MaxAge < time.Second || !lifetime.MatchString(cacheControl))) {
			t.Errorf("%+v of %q", got, cacheControl)
		}
		for i, u := range s.asked {
			if i > 1 || i == 0 && u != docURL || !secure.MatchString(u) && !isHere(u) {
				t.Errorf("asked %q", u)
			}
		}
	})
}

var (
	lifetime = regexp.MustCompile(`(?i)max-age|no-store|no-cache`)
	secure   = regexp.MustCompile(`^https://[^/?#@]+([/?]|$)`)
	inClear  = regexp.MustCompile(`^http://(\[[^\]]*\]|[^/?#@:]*)(:[0-9]*)?([/?]|$)`)
)

// isHere reports whether a URL in clear goes to this machine.
func isHere(u string) bool {
	m := inClear.FindStringSubmatch(u)
	if m == nil {
		return false
	}
	addr, err := netip.ParseAddr(strings.Trim(m[1], "[]"))
	return m[1] == "localhost" || err == nil && addr.Unmap().IsLoopback()
}

// Another issuer's names are those of the claims with the prefix, and none that
// is the cluster's to give, however an app splits the header.
func FuzzMappings(f *testing.F) {
	m := Mappings{Username: Mapping{"sub", "sys"}, Groups: Mapping{"groups", "sys"}, UID: Mapping{"oid", ""}}
	f.Add(`{"sub":"u","groups":["tem:a"],"oid":"1"}`)
	f.Add(`{"sub":"tem:u","groups":"g"}`)
	f.Fuzz(func(t *testing.T, text string) {
		token, err := jwt.Decode(raw(`{"alg":"RS256"}`) + "." + raw(text) + ".AA")
		if err != nil {
			return
		}
		id, err := m.Identity(&token.Claims)
		if (err == nil) != (id.Subject != "") {
			t.Fatalf("%+v, %v", id, err)
		}
		if err != nil {
			return
		}
		var c map[string]any
		if err := json.Unmarshal([]byte(text), &c); err != nil {
			t.Fatal(err)
		}
		groups := []string{}
		switch list := c["groups"].(type) {
		case string:
			groups = append(groups, "sys"+list)
		case []any:
			for _, g := range list {
				name, _ := g.(string)
				groups = append(groups, "sys"+name)
			}
		}
		groups = slices.DeleteFunc(groups, func(g string) bool { return g == "sys" }) // empty names are none
		if id.Subject != fmt.Sprint("sys", c["sub"]) || id.UID != c["oid"] || !slices.Equal(id.Groups, groups) {
			t.Errorf("%s names %+v", text, id)
		}
		for _, name := range append(id.Groups, id.Subject) {
			for part := range strings.SplitSeq(name, ",") {
				if strings.HasPrefix(strings.Trim(part, " \t"), "system:") {
					t.Errorf("%s names %q", text, name)
				}
			}
		}
	})
}
