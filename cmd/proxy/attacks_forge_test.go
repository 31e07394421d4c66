package main

import (
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net"
	"strings"

	"sallyport/internal/minicluster"
)

// presents sends requests with each of the tokens.
func (s *siege) presents(tokens ...string) {
	s.t.Helper()
	for _, token := range tokens {
		s.got(s.raw(anon("/", "Authorization: Bearer "+token)).outcome, token)
	}
}

func (s *siege) request() minicluster.Request {
	return minicluster.Request{Namespace: "ns", ServiceAccount: "caller", Pod: "caller-0", Audiences: []string{audience}}
}

// signed returns a token that is good but for what change does, signed by the
// cluster's own key.
func (s *siege) signed(change func(header, claims map[string]any)) string {
	s.t.Helper()
	claims, err := s.cluster.Claims(s.request())
	must(s.t, err)
	header := s.cluster.Header()
	if change != nil {
		change(header, claims)
	}
	token, err := s.cluster.Sign(header, claims)
	must(s.t, err)
	return token
}

// withHeader is a token of the cluster's key with another header.
func (s *siege) withHeader(name string, value any) string {
	return s.signed(func(header, _ map[string]any) { header[name] = value })
}

func (s *siege) withClaim(name string, value any) string {
	return s.signed(func(_, claims map[string]any) {
		if claims[name] = value; value == nil {
			delete(claims, name)
		}
	})
}

// confused are tokens whose algorithm is not the key's.
func (s *siege) confused() (tokens []string) {
	s.t.Helper()
	public := minicluster.SharedKeys(0, 1)[0].Public().(*rsa.PublicKey)
	der, err := x509.MarshalPKIXPublicKey(public)
	must(s.t, err)
	secrets := [][]byte{
		der, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), public.N.Bytes(),
		pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: x509.MarshalPKCS1PublicKey(public)}), nil,
	}
	for _, secret := range secrets {
		input := unsigned(s.withHeader("alg", "HS256"))
		mac := hmac.New(sha256.New, secret)
		mac.Write([]byte(input))
		tokens = append(tokens, input+"."+base64.RawURLEncoding.EncodeToString(mac.Sum(nil)))
	}
	for _, alg := range []any{"none", "None", "nOnE", "", "RS1", "HS512", "EdDSA", "ES256", "dir", 7, nil, []string{"RS256"}} {
		token := s.withHeader("alg", alg)
		tokens = append(tokens, token, unsigned(token)+".", unsigned(token))
	}
	return tokens
}

func unsigned(token string) string { return token[:strings.LastIndexByte(token, '.')] }

// stranger is a cluster of the same names, with a key of its own.
func (s *siege) stranger() *minicluster.Cluster {
	s.t.Helper()
	c, err := minicluster.New(minicluster.Options{Keys: minicluster.SharedKeys(1, 1)})
	must(s.t, err)
	c.CreateServiceAccount("ns", "caller")
	c.CreatePod("ns", "caller-0", "caller", "")
	return c
}

// pointed are tokens of a stranger that tell where its key is. Nobody is to ask.
func (s *siege) pointed() []string {
	s.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(s.t, err)
	s.t.Cleanup(func() { l.Close() })
	go func() {
		for c, err := l.Accept(); err == nil; c, err = l.Accept() {
			c.Close()
			s.got("the token's own key was asked for", "")
		}
	}()
	url := "http://" + l.Addr().String() + "/jwks"
	stranger, public := s.stranger(), minicluster.SharedKeys(1, 1)[0].Public()
	jwk := map[string]any{"kty": "RSA", "e": "AQAB", "n": base64.RawURLEncoding.EncodeToString(public.(*rsa.PublicKey).N.Bytes())}
	der, err := x509.MarshalPKIXPublicKey(public)
	must(s.t, err)
	var tokens []string
	for name, value := range map[string]any{"jku": url, "x5u": url, "jwk": jwk, "x5c": []string{base64.StdEncoding.EncodeToString(der)}, "kid": url, "crit": []string{"exp"}, "b64": false, "zip": "DEF"} {
		header := stranger.Header()
		header[name] = value
		claims, err := s.cluster.Claims(s.request())
		must(s.t, err)
		token, err := stranger.Sign(header, claims)
		must(s.t, err)
		tokens = append(tokens, token)
		if name == "crit" || name == "b64" || name == "jwk" || name == "jku" {
			tokens = append(tokens, s.withHeader(name, value)) // the right key, too
		}
	}
	return tokens
}

// audiences are tokens that our key has signed, and that are not for us.
func (s *siege) audiences() (tokens []string) {
	s.t.Helper()
	for _, aud := range []any{nil, "", []string{}, 7, true, map[string]any{audience: audience}, []any{audience, 7}, []any{[]string{audience}}, audience + " ", strings.ToUpper(audience), "my", audience + "2", []string{""}} {
		tokens = append(tokens, s.withClaim("aud", aud))
	}
	claims, err := s.cluster.Claims(s.request())
	must(s.t, err)
	claims["aud"] = "other"
	text, err := json.Marshal(claims)
	must(s.t, err)
	for _, twice := range []string{`"aud":"` + audience + `",`, `"Aud":"` + audience + `",`, `"a\u0075d":"` + audience + `",`} {
		token, err := s.cluster.Sign(nil, []byte("{"+twice+string(text[1:])))
		must(s.t, err)
		tokens = append(tokens, token)
	}
	return tokens
}

// nothingTold looks for tokens wherever something is told.
func (s *siege) nothingTold() {
	s.t.Helper()
	s.noTokenIn(s.log.String())
	for _, path := range []string{"/metrics", "/readyz", "/readyz?verbose", "/startupz", "/livez", "/", "/debug/pprof/"} {
		_, text := s.admin(path)
		s.noTokenIn(text)
	}
}
