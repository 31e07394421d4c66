package jwt

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sallyport/internal/authn"
)

// shape is RFC 7515 section 7.1.
var shape = regexp.MustCompile(`^([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)$`)

// A token that is accepted has the one spelling that its parts have, and every
// reader of JSON finds in it what we found.
func FuzzDecode(f *testing.F) {
	for _, name := range []string{"extended", "legacy-auto", "legacy-manual"} {
		b, err := os.ReadFile("testdata/" + name + ".token")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(strings.TrimSpace(string(b)))
	}
	f.Add(compact(goodHeader, goodClaims))
	f.Fuzz(func(t *testing.T, token string) {
		tok := decode(t, token)
		if tok == nil {
			return
		}
		m := shape.FindStringSubmatch(token)
		if m == nil || len(token) > authn.MaxToken {
			t.Fatalf("accepted %q, which is no compact JWS", token)
		}
		var parts [3][]byte
		for i, part := range m[1:] {
			var err error
			if parts[i], err = base64.RawURLEncoding.DecodeString(part); err != nil || base64.RawURLEncoding.EncodeToString(parts[i]) != part {
				t.Errorf("%q has another spelling", part)
			}
		}
		agree(t, tok, parts[0], parts[1])
	})
}

// FuzzClaims is FuzzDecode without the base64, which hides from the fuzzer what
// it changes.
func FuzzClaims(f *testing.F) {
	f.Add(goodHeader, goodClaims)
	f.Add(`{"alg":"RS256","crit":[]}`, `{"aud":["a",null]}`)
	f.Fuzz(func(t *testing.T, header, claims string) {
		if tok := decode(t, compact(header, claims)); tok != nil {
			agree(t, tok, []byte(header), []byte(claims))
		}
	})
}

// decode calls Decode, whose result is a token or a refusal that does not quote
// the signature.
func decode(t *testing.T, token string) *Token {
	tok, err := Decode(token)
	if (tok == nil) == (err == nil) {
		t.Fatalf("Decode = %v, %v: want one of them", tok, err)
	}
	if err != nil && !errors.Is(err, authn.ErrUnauthenticated) {
		t.Fatalf("err = %v, want a refusal", err)
	}
	if at := strings.LastIndexByte(token, '.'); err != nil && len(token)-at > 20 && strings.Contains(err.Error(), token[at+1:]) {
		t.Errorf("the error quotes the signature: %v", err)
	}
	return tok
}

// agree holds tok against two other readers of the same bytes: encoding/json,
// which takes names in any case and the last of several, and one that takes the
// first. They differ on what verifiers differ on.
func agree(t *testing.T, tok *Token, header, claims []byte) {
	t.Helper()
	var last struct {
		Alg, Kid, Typ string
		Crit, B64     any
		Jku, X5u, Jwk any
	}
	var c struct {
		Iss, Sub, Jti string
		Aud           any
		Exp, Nbf, Iat *int64
	}
	if err := errors.Join(json.Unmarshal(header, &last), json.Unmarshal(claims, &c)); err != nil {
		t.Fatalf("accepted %q, %q: %v", header, claims, err)
	}
	if tok.Header.Algorithm != last.Alg || tok.Header.KeyID != last.Kid || !slices.Contains(Algorithms, last.Alg) {
		t.Errorf("%q: %+v", header, tok.Header)
	}
	if fmt.Sprint(last.Crit, last.B64, last.Jku, last.X5u, last.Jwk) != fmt.Sprint(nil, nil, nil, nil, nil) {
		t.Errorf("%q asks for more than a signature", header)
	}
	if tok.Claims.Issuer != c.Iss || tok.Claims.Subject != c.Sub || tok.Claims.ID != c.Jti || fmt.Sprintf("%q", tok.Claims.Audience) != fmt.Sprintf("%q", list(c.Aud)) {
		t.Errorf("%q: %+v", claims, tok.Claims)
	}
	for _, at := range []struct {
		got  interface{ Unix() int64 }
		zero bool
		want *int64
	}{
		{tok.Claims.Expires, tok.Claims.Expires.IsZero(), c.Exp},
		{tok.Claims.NotBefore, tok.Claims.NotBefore.IsZero(), c.Nbf},
		{tok.Claims.IssuedAt, tok.Claims.IssuedAt.IsZero(), c.Iat},
	} {
		if at.zero != (at.want == nil) || at.want != nil && (at.got.Unix() != *at.want || *at.want < 0 || *at.want > 1<<53) {
			t.Errorf("%q: %v", claims, at.got)
		}
	}
	for _, part := range [][]byte{header, claims} {
		if name := repeated(json.NewDecoder(bytes.NewReader(part))); name != "" {
			t.Errorf("%q has %q twice", part, name)
		}
	}
}

// list is an audience's two forms (RFC 7519 section 4.1.3).
func list(aud any) []any {
	switch v := aud.(type) {
	case nil:
		return nil
	case []any:
		return v
	default:
		return []any{v}
	}
}

// repeated returns a name that an object has twice, at any depth.
func repeated(d *json.Decoder) string {
	open, err := d.Token()
	if err != nil || open != json.Delim('{') && open != json.Delim('[') {
		return ""
	}
	seen := map[string]bool{}
	for d.More() {
		if open == json.Delim('{') {
			name, _ := d.Token()
			if seen[fmt.Sprint(name)] {
				return fmt.Sprint(name)
			}
			seen[fmt.Sprint(name)] = true
		}
		if name := repeated(d); name != "" {
			return name
		}
	}
	d.Token()
	return ""
}
