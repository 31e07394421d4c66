// Package inspect says what a token claims, to whoever holds it: of what kind it
// is, until when it is good, what is odd about it.
//
// It asks nobody and decides nothing. The signature is in no [Report], nor is a
// part of it.
package inspect

import (
	"encoding/json"
	"errors"
	"time"

	"sallyport/internal/authn"
	"sallyport/internal/authn/jwt"
)

// A Report is what can be told of one token. A time that is not known is zero.
type Report struct {
	// File is where the token was found, nil where it came by another way.
	File *File `json:"file,omitempty"`
	// Bytes is the token's length.
	Bytes int `json:"bytes"`
	// Kind is what the claims say; see [Kind].
	Kind Kind `json:"kind"`
	// Refused is why sallyport serve takes no token of this form, whoever it is
	// from; "" where it may. The rest is then read as far as it can be.
	Refused string `json:"refused,omitempty"`
	// Signature says what is known of it: it is not checked here.
	Signature Signature `json:"signature"`

	Subject   string    `json:"subject,omitempty"`
	Audiences []string  `json:"audiences,omitempty"`
	Issuer    string    `json:"issuer,omitempty"`
	Bound     []Object  `json:"bound,omitempty"`
	Issued    time.Time `json:"issued,omitzero"`
	NotBefore time.Time `json:"notBefore,omitzero"`
	WarnAfter time.Time `json:"warnAfter,omitzero"`
	Expires   time.Time `json:"expires,omitzero"`
	// Renewal is when the kubelet asks for the next one, which is in the volume
	// within 100 s.
	Renewal time.Time `json:"renewal,omitzero"`

	Findings []Finding `json:"findings"`

	// Header and Claims are all there are. A word in them that is long enough to
	// be part of a token is "[...]".
	Header map[string]any `json:"header,omitempty"`
	Claims map[string]any `json:"claims,omitempty"`

	now time.Time
}

// An Object is what a token is bound to: it dies with it.
type Object struct {
	Kind string `json:"kind"`
	Name string `json:"name"`
	UID  string `json:"uid,omitempty"`
}

// A Signature is what is known of a signature.
type Signature struct {
	Checked bool `json:"checked"`
	// Good is meaningful where it was checked.
	Good bool `json:"good"`
	// Text says against which keys, or why not.
	Text string `json:"text"`
}

// NotChecked is the signature of a token that nobody was asked to check.
var NotChecked = Signature{Text: "not checked, so nothing here is proven: --issuer or --jwks has it checked"}

// Token says what text, which should be a token, claims at the time now.
func Token(text string, now time.Time) *Report {
	token, findings := unwrap(text)
	r := &Report{Bytes: len(token), Signature: NotChecked, Findings: findings, now: now}
	p := take(token)
	strict, err := jwt.Decode(token)
	if err != nil {
		r.Refused = refusal(err)
		strict = p.loosely()
	} else if err := strict.Claims.Check(); authn.ReasonOf(err) == authn.Claims {
		r.Refused = refusal(err) // tokens kept in Secrets are a policy's business
	}
	if !p.any() {
		r.Kind = Unreadable
		r.find("not_a_jwt", "%s", p.shape())
		return r
	}
	r.fill(p, strict)
	r.judge(p, strict)
	return r
}

// refusal is a refusal in plain words.
func refusal(err error) string {
	var e *authn.Error
	if !errors.As(err, &e) {
		return err.Error()
	}
	return e.Reason.Description() + " (" + authn.Redact(e.Detail) + ")"
}

func (r *Report) fill(p *parts, t *jwt.Token) {
	c := &t.Claims
	r.Kind = kindOf(p, c)
	r.Subject, r.Issuer, r.Audiences = authn.Redact(c.Subject), authn.Redact(c.Issuer), redactAll(c.Audience)
	r.Bound = boundTo(p, c)
	r.Issued, r.NotBefore, r.Expires, r.WarnAfter = sane(c.IssuedAt), sane(c.NotBefore), sane(c.Expires), sane(c.WarnAfter())
	if r.Kind == Pod || r.Kind == Extended {
		r.Renewal = sane(c.Renewal())
	}
	r.Header, r.Claims = redacted(p.header), redacted(p.claims)
}

func redacted(m map[string]any) map[string]any {
	v, _ := redact(m).(map[string]any)
	return v
}

// redact makes claims fit to be shown: a token within a token stays hidden.
func redact(v any) any {
	switch v := v.(type) {
	case string:
		return authn.Redact(v)
	case json.Number:
		return json.Number(authn.Redact(string(v)))
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = redact(v[i])
		}
		return out
	case map[string]any:
		if v == nil {
			return v
		}
		out := make(map[string]any, len(v))
		for name, value := range v {
			out[authn.Redact(name)] = redact(value)
		}
		return out
	}
	return v
}

func redactAll(list []string) (out []string) {
	for _, s := range list {
		out = append(out, authn.Redact(s))
	}
	return out
}

// sane leaves out a time that no calendar has: RFC 3339 has four digits for the
// year.
func sane(t time.Time) time.Time {
	if t.IsZero() || t.Year() > 9999 {
		return time.Time{}
	}
	return t.UTC()
}
