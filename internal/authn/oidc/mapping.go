package oidc

import (
	"strings"

	"github.com/go-json-experiment/json"

	"sallyport/internal/authn"
	"sallyport/internal/authn/jwt"
)

// ProviderTypes are the typ of another issuer's tokens: ID tokens have none or
// JWT, access tokens at+jwt (RFC 9068 section 2.1).
var ProviderTypes = []string{"", "jwt", "at+jwt"}

// A Mapping takes a name from a claim, as claimMappings in Kubernetes'
// AuthenticationConfiguration do. An empty Claim takes none.
type Mapping struct {
	Claim  string
	Prefix string
}

// Mappings say who another issuer's claims name.
type Mappings struct {
	Username, Groups, UID Mapping
}

// reserved begins the names that Kubernetes alone gives. An issuer that could
// give them would be able to name anybody.
const reserved = "system:"

// Identity implements [Rules.Identity].
func (m *Mappings) Identity(c *jwt.Claims) (id authn.Identity, err error) {
	if id.Subject, err = m.Username.one(c); err != nil {
		return id, err
	}
	if id.Subject == m.Username.Prefix {
		return id, authn.Refuse(authn.Claims, "the username claim %q is absent or empty", m.Username.Claim)
	}
	if err := verifiedEmail(m.Username.Claim, c); err != nil {
		return id, err
	}
	if id.UID, err = m.UID.one(c); err != nil {
		return id, err
	}
	if id.Groups, err = m.Groups.many(c); err != nil {
		return id, err
	}
	for _, name := range append([]string{id.Subject}, id.Groups...) {
		if strings.HasPrefix(name, reserved) {
			return id, authn.Refuse(authn.Claims, "the issuer gives a name that begins with %q", reserved)
		}
	}
	id.Extra = credentialID(c)
	return id, nil
}

// one returns the mapped string; absent is the prefix alone.
func (m Mapping) one(c *jwt.Claims) (string, error) {
	v, ok := c.All[m.Claim]
	if m.Claim == "" || !ok {
		return m.Prefix, nil
	}
	var s string
	if v.Kind() != '"' || json.Unmarshal(v, &s) != nil {
		return "", authn.Refuse(authn.Claims, "the claim %q is not a string", m.Claim)
	}
	return m.Prefix + s, nil
}

// many returns the mapped strings. Absent, null and empty ones are none, as
// Kubernetes takes them.
func (m Mapping) many(c *jwt.Claims) ([]string, error) {
	v, ok := c.All[m.Claim]
	if m.Claim == "" || !ok || v.Kind() == 'n' {
		return nil, nil
	}
	var list []string
	if v.Kind() == '"' {
		list = make([]string, 1)
		if json.Unmarshal(v, &list[0]) != nil {
			list = nil
		}
	} else if v.Kind() != '[' || json.Unmarshal(v, &list) != nil {
		return nil, authn.Refuse(authn.Claims, "the claim %q is not a string or an array of strings", m.Claim)
	}
	var names []string
	for _, s := range list {
		if s != "" {
			names = append(names, m.Prefix+s)
		}
	}
	return names, nil
}

// verifiedEmail refuses an address that the issuer says it did not verify: it
// is whatever its owner typed. As in Kubernetes, a missing email_verified is
// accepted.
func verifiedEmail(username string, c *jwt.Claims) error {
	v, ok := c.All["email_verified"]
	if username == "email" && ok && string(v) != "true" {
		return authn.Refuse(authn.Claims, "email_verified is not true")
	}
	return nil
}
