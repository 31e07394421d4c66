package jwt

import (
	"cmp"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"sallyport/internal/authn"
)

// Claims are what a token says of itself. A time that is absent is zero.
type Claims struct {
	Issuer    string
	Subject   string
	ID        string
	Audience  []string
	Expires   time.Time
	NotBefore time.Time
	IssuedAt  time.Time
	// Kubernetes is the claim "kubernetes.io", nil where absent.
	Kubernetes *Kubernetes
	// All has every claim as it was written, for an issuer's own mappings.
	All map[string]jsontext.Value
}

var registered = []string{"iss", "sub", "aud", "exp", "nbf", "iat", "jti", kubernetesClaim}

func parseClaims(b []byte) (c Claims, err error) {
	o, err := parseObject("claims", b, registered)
	if err != nil {
		return c, err
	}
	c.All = o
	var errs [8]error
	c.Issuer, errs[0] = o.str("iss")
	c.Subject, errs[1] = o.str("sub")
	c.ID, errs[2] = o.str("jti")
	c.Audience, errs[3] = o.strs("aud")
	c.Expires, errs[4] = o.time("exp")
	c.NotBefore, errs[5] = o.time("nbf")
	c.IssuedAt, errs[6] = o.time("iat")
	c.Kubernetes, errs[7] = parseKubernetes(o)
	return c, cmp.Or(errs[:]...)
}

// LegacyIssuer is the iss of a service account token kept in a Secret
// (Kubernetes, pkg/serviceaccount/legacy.go). Such a token never expires.
const LegacyIssuer = "kubernetes/serviceaccount"

// Check refuses a token without the claims that every accepted token must have:
// sub and exp.
func (c *Claims) Check() error {
	switch {
	case c.Issuer == LegacyIssuer:
		return authn.Refuse(authn.Legacy, "a service account Secret token")
	case c.Subject == "":
		return authn.Refuse(authn.Claims, "sub is absent or empty")
	case c.Expires.IsZero():
		return authn.Refuse(authn.Claims, "exp is absent")
	}
	return nil
}

// CheckTimes refuses a token that has expired, or that says it was issued or
// becomes valid in the future. The leeway is granted on all three, as
// Kubernetes does for its own tokens (it grants 60 s).
func (c *Claims) CheckTimes(now time.Time, leeway time.Duration) error {
	if !now.Before(c.Expires.Add(leeway)) {
		return authn.Refuse(authn.Expired, "it expired %s ago", now.Sub(c.Expires).Round(time.Second))
	}
	start := c.NotBefore
	if c.IssuedAt.After(start) {
		start = c.IssuedAt
	}
	if start.After(now.Add(leeway)) {
		return authn.Refuse(authn.NotYetValid, "nbf or iat is %s ahead of our clock", start.Sub(now).Round(time.Second))
	}
	return nil
}
