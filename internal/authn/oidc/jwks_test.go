package oidc

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"

	jose "github.com/go-jose/go-jose/v4"

	"sallyport/internal/authn/jwt"
)

// rsaOf returns an RSA JWK with a modulus of that many bits. It has no private
// half: it is for parsing.
func rsaOf(bits int) json.RawMessage {
	n := new(big.Int).Lsh(big.NewInt(1), uint(bits-1))
	n.SetBit(n, 0, 1)
	return fmt.Appendf(nil, `{"kty":"RSA","kid":"k","e":"AQAB","n":%q}`, base64.RawURLEncoding.EncodeToString(n.Bytes()))
}

// exponent returns an RSA JWK with that exponent.
func exponent(e int64) json.RawMessage {
	return jwk(rsaKey(), "k", map[string]any{"e": base64.RawURLEncoding.EncodeToString(big.NewInt(e).Bytes())})
}

func private(key any) json.RawMessage {
	return must(json.Marshal(jose.JSONWebKey{Key: key, KeyID: "k"}))
}

func TestParseKey(t *testing.T) {
	set := func(name string, v any) map[string]any { return map[string]any{name: v} }
	_, edwards := must2(ed25519.GenerateKey(rand.Reader))
	ps := []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}
	for name, tc := range map[string]struct {
		jwk  json.RawMessage
		algs []string // the only ones that it may verify
	}{
		"RSA":                  {jwk(rsaKey(), "k", nil), ps},
		"RSA for RS256":        {jwk(rsaKey(), "k", set("alg", "RS256")), []string{"RS256"}},
		"RSA for PS512":        {jwk(rsaKey(), "k", set("alg", "PS512")), []string{"PS512"}},
		"RSA for signatures":   {jwk(rsaKey(), "k", set("use", "sig")), ps},
		"RSA without an id":    {jwk(rsaKey(), "", nil), ps},
		"RSA of 2048 bits":     {rsaOf(2048), ps},
		"RSA of 8192 bits":     {rsaOf(8192), ps},
		"P-256":                {jwk(p256(), "k", nil), []string{"ES256"}},
		"P-384":                {jwk(p384(), "k", nil), []string{"ES384"}},
		"P-521":                {jwk(p521(), "k", nil), []string{"ES512"}},
		"P-256 for ES256":      {jwk(p256(), "k", set("alg", "ES256")), []string{"ES256"}},
		"P-256 for ES384":      {jwk(p256(), "k", set("alg", "ES384")), nil},
		"P-256 for RS256":      {jwk(p256(), "k", set("alg", "RS256")), nil},
		"RSA for ES256":        {jwk(rsaKey(), "k", set("alg", "ES256")), nil},
		"RSA for HS256":        {jwk(rsaKey(), "k", set("alg", "HS256")), nil},
		"RSA for none":         {jwk(rsaKey(), "k", set("alg", "none")), nil},
		"RSA for encryption":   {jwk(rsaKey(), "k", set("use", "enc")), nil},
		"RSA for RSA-OAEP":     {jwk(rsaKey(), "k", set("alg", "RSA-OAEP")), nil},
		"RSA of 1024 bits":     {rsaOf(1024), nil},
		"RSA of 2047 bits":     {rsaOf(2047), nil},
		"RSA of 8193 bits":     {rsaOf(8193), nil},
		"RSA of 500,000 bits":  {rsaOf(500_000), nil},
		"RSA with e = 0":       {exponent(0), nil},
		"RSA with e = 1":       {exponent(1), nil},
		"RSA with e = 2":       {exponent(2), nil},
		"RSA with e = 3":       {exponent(3), ps},
		"RSA with e = 2^16":    {exponent(1 << 16), nil},
		"RSA with e = 2^31-1":  {exponent(1<<31 - 1), ps},
		"RSA with e = 2^31+1":  {exponent(1<<31 + 1), nil},
		"private RSA":          {private(rsaKey()), nil},
		"private P-256":        {private(p256()), nil},
		"oct":                  {private([]byte("a secret of thirty-two characters")), nil},
		"oct for HS256":        {[]byte(`{"kty":"oct","k":"c2VjcmV0","alg":"HS256","kid":"k"}`), nil},
		"Ed25519":              {jwk(edwards, "k", nil), nil},
		"Ed25519 for EdDSA":    {jwk(edwards, "k", set("alg", "EdDSA")), nil},
		"not on its curve":     {jwk(p256(), "k", set("x", base64.RawURLEncoding.EncodeToString(make([]byte, 32)))), nil},
		"another curve's name": {jwk(p256(), "k", set("crv", "P-384")), nil},
		"no modulus":           {[]byte(`{"kty":"RSA","e":"AQAB"}`), nil},
		"unknown kind":         {[]byte(`{"kty":"AKP","kid":"k"}`), nil},
		"no kind":              {[]byte(`{}`), nil},
		"null":                 {[]byte(`null`), nil},
		"a string":             {[]byte(`"key"`), nil},
		"an array":             {[]byte(`[]`), nil},
		"nothing":              {nil, nil},
	} {
		k := parseKey("i", tc.jwk)
		if (k == nil) != (tc.algs == nil) {
			t.Errorf("%s: usable: %v", name, k != nil)
			continue
		}
		for _, alg := range append([]string{"", "none", "HS256", "EdDSA"}, jwt.Algorithms...) {
			if k != nil && k.fits(alg) != slices.Contains(tc.algs, alg) {
				t.Errorf("%s: fits %q: %v", name, alg, k.fits(alg))
			}
		}
	}
}

func must2[A, B any](a A, b B, err error) (A, B) {
	if err != nil {
		panic(err)
	}
	return a, b
}

func TestParseKeys(t *testing.T) {
	good, bad := jwk(p256(), "a", nil), json.RawMessage(`{"kty":"RSA","n":7}`)
	many := func(n int, k json.RawMessage) []byte { return jwks(slices.Repeat([]json.RawMessage{k}, n)...) }
	for name, tc := range map[string]struct {
		body []byte
		keys int
		err  error
	}{
		"one":                  {jwks(good), 1, nil},
		"several":              {jwks(good, jwk(p384(), "b", nil), jwk(rsaKey(), "c", nil)), 3, nil},
		"garbage beside":       {jwks(bad, good, []byte(`null`), []byte(`7`), []byte(`[]`), []byte(`"x"`)), 1, nil},
		"an oct beside":        {jwks(private([]byte("secret")), good), 1, nil},
		"unknown members":      {[]byte(`{"x":1,"keys":[` + string(good) + `]}`), 1, nil},
		"100":                  {many(100, good), 100, nil},
		"101":                  {many(101, good), 0, errDecode},
		"101 that are no keys": {many(101, bad), 0, errDecode},
		"none that is usable":  {jwks(bad, private([]byte("secret"))), 0, errNoKeys},
		"none":                 {jwks(), 0, errNoKeys},
		"null":                 {[]byte(`{"keys":null}`), 0, errNoKeys},
		"no list":              {[]byte(`{}`), 0, errNoKeys},
		"null document":        {[]byte(`null`), 0, errNoKeys},
		"not a list":           {[]byte(`{"keys":{}}`), 0, errDecode},
		"a list alone":         {[]byte(`[` + string(good) + `]`), 0, errDecode},
		"one key alone":        {good, 0, errNoKeys},
		"more behind it":       {append(jwks(good), '{'), 0, errDecode},
		"HTML":                 {[]byte(`<html>`), 0, errDecode},
		"empty":                {nil, 0, errDecode},
	} {
		keys, err := parseKeys("i", tc.body)
		if len(keys) != tc.keys || !errors.Is(err, tc.err) {
			t.Errorf("%s: %d keys, %v; want %d, %v", name, len(keys), err, tc.keys, tc.err)
		}
	}
}

// The bytes of a private key are no concern of a log.
func TestKeyErrorsQuoteNothing(t *testing.T) {
	_, err := parseKeys("i", []byte(`{"keys":["secret-stuff"`))
	if err == nil || strings.Contains(err.Error(), "secret-stuff") {
		t.Errorf("err = %v", err)
	}
}

func TestSameKey(t *testing.T) {
	base := parseKey("i", jwk(p256(), "a", nil))
	for name, tc := range map[string]struct {
		jwk  json.RawMessage
		same bool
	}{
		"itself":           {jwk(p256(), "a", nil), true},
		"with a use":       {jwk(p256(), "a", map[string]any{"use": "sig"}), true},
		"another id":       {jwk(p256(), "b", nil), false},
		"another material": {jwk(otherP256(), "a", nil), false},
		"named algorithm":  {jwk(p256(), "a", map[string]any{"alg": "ES256"}), false},
	} {
		k := parseKey("i", tc.jwk)
		if k == nil || k.same(base) != tc.same || base.same(k) != tc.same {
			t.Errorf("%s: want same = %v", name, tc.same)
		}
	}
}
