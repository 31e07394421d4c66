package inspect

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"

	"sallyport/internal/authn/jwt"
)

// parts are a token's, read as leniently as possible: who holds a broken token
// wants to know what it was.
type parts struct {
	count          int // of the dots' neighbours
	header, claims map[string]any
	signature      int // bytes; -1 where it cannot be decoded
}

// unwrap takes away what is often copied along with a token, and says so.
func unwrap(text string) (token string, found []Finding) {
	token = strings.TrimSpace(text)
	whole := token
	if name, rest, ok := strings.Cut(token, ":"); ok && strings.EqualFold(name, "Authorization") {
		token = strings.TrimSpace(rest)
	}
	if scheme, rest, ok := strings.Cut(token, " "); ok && strings.EqualFold(scheme, "Bearer") {
		token = strings.TrimSpace(rest)
	}
	token = strings.Trim(token, `"'`)
	if token != whole {
		found = append(found, finding("wrapped", "there is more than the token: a header's name, its scheme, or quotes. In a token's file nothing else may stand"))
	}
	// A JWT begins with {" in base64; this is that, in base64 once more.
	if strings.HasPrefix(token, "ZXlK") {
		if b, err := decode(token); err == nil && strings.Count(string(b), ".") == 2 {
			token = strings.TrimSpace(string(b))
			found = append(found, finding("encoded", "it is encoded in base64 once more, as in a Secret's data: decode it before it is used (base64 -d)"))
		}
	}
	return token, found
}

// Unwrap returns the token in a text, as [Token] finds it.
func Unwrap(text string) string {
	token, _ := unwrap(text)
	return token
}

// take takes a token apart.
func take(token string) *parts {
	all := strings.Split(token, ".")
	p := &parts{count: len(all), signature: -1}
	p.header = object(all[0])
	if len(all) > 1 {
		p.claims = object(all[1])
	}
	if len(all) > 2 {
		if b, err := decode(all[2]); err == nil {
			p.signature = len(b)
		}
	}
	return p
}

func (p *parts) any() bool { return p.header != nil || p.claims != nil }

// shape says what it may be that is no JWT.
func (p *parts) shape() string {
	switch p.count {
	case 1:
		return "there is no dot in it: an opaque token, or none at all. A JWT has three parts"
	case 3:
		return "it has three parts, and neither the first nor the second is a JSON object in base64"
	case 5:
		return "it has five parts: an encrypted token (JWE), which nobody but its issuer can read"
	}
	return "it has another number of parts than three"
}

// decode reads base64 of either alphabet, with or without padding and breaks.
func decode(part string) ([]byte, error) {
	part = strings.NewReplacer("+", "-", "/", "_", "=", "", " ", "", "\t", "", "\r", "", "\n", "").Replace(part)
	return base64.RawURLEncoding.DecodeString(part)
}

func object(part string) map[string]any {
	b, err := decode(part)
	if err != nil {
		return nil
	}
	d := json.NewDecoder(strings.NewReader(string(b)))
	d.UseNumber()
	var m map[string]any
	if d.Decode(&m) != nil {
		return nil
	}
	return m
}

// loosely is the token as far as it can be read, where its form is refused.
func (p *parts) loosely() *jwt.Token {
	t := &jwt.Token{Header: jwt.Header{Algorithm: str(p.header["alg"]), KeyID: str(p.header["kid"]), Type: strings.ToLower(str(p.header["typ"]))}}
	c := &t.Claims
	c.Issuer, c.Subject, c.ID = str(p.claims["iss"]), str(p.claims["sub"]), str(p.claims["jti"])
	c.Audience = strs(p.claims["aud"])
	c.Expires, c.NotBefore, c.IssuedAt = date(p.claims["exp"]), date(p.claims["nbf"]), date(p.claims["iat"])
	if k, ok := p.claims["kubernetes.io"].(map[string]any); ok {
		c.Kubernetes = &jwt.Kubernetes{
			Namespace: str(k["namespace"]), ServiceAccount: ref(k["serviceaccount"]),
			Pod: ref(k["pod"]), Secret: ref(k["secret"]), Node: ref(k["node"]), WarnAfter: date(k["warnafter"]),
		}
	}
	return t
}

func str(v any) string { s, _ := v.(string); return s }

func strs(v any) (out []string) {
	if s, ok := v.(string); ok {
		return []string{s}
	}
	list, _ := v.([]any)
	for _, e := range list {
		if s, ok := e.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

func ref(v any) jwt.Ref {
	m, _ := v.(map[string]any)
	return jwt.Ref{Name: str(m["name"]), UID: str(m["uid"])}
}

// date takes any number for seconds since 1970, as many programs do.
func date(v any) time.Time {
	n, _ := v.(json.Number)
	f, err := n.Float64()
	if err != nil || f < 0 || f > 1<<53 {
		return time.Time{}
	}
	return time.Unix(int64(f), 0)
}
