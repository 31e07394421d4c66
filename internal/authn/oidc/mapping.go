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
func (m *Mappings) Identity(c *jwt.Claims) (authn.Identity, error) {
	id, err := m.names(c)
	if err != nil {
		return authn.Identity{}, err
	}
	for _, name := range append([]string{id.Subject}, id.Groups...) {
		if isReserved(name) {
			return authn.Identity{}, authn.Refuse(authn.Claims, "the issuer gives a name that begins with %q", reserved)
		}
	}
	id.Extra = credentialID(c)
	return id, nil
}

// isReserved reports whether name, or what follows a comma in it, is the
// cluster's to give. To HTTP a list on one line and a line for each are the same
// (RFC 9110 section 5.3), so an app may take a name with a comma for two, and the
// second has no prefix.
func isReserved(name string) bool {
	for part := range strings.SplitSeq(name, ",") {
		if strings.HasPrefix(strings.TrimSpace(part), reserved) {
			return true
		}
	}
	return false
}

func (m *Mappings) names(c *jwt.Claims) (id authn.Identity, err error) {
	if id.Subject, err = m.Username.one(c); err != nil {
		return id, err
	}
	if err := verifiedEmail(m.Username.Claim, c); err != nil {
		return id, err
	}
	if m.UID.Claim != "" {
		if id.UID, err = m.UID.one(c); err != nil {
			return id, err
		}
	}
	id.Groups, err = m.Groups.many(c)
	return id, err
}

// one returns the mapped string. Absent and empty ones are refused: an identity
// must not lack what the operator asked for.
func (m Mapping) one(c *jwt.Claims) (string, error) {
	v, ok := c.All[m.Claim]
	var s string
	if m.Claim == "" || !ok || v.Kind() != '"' || json.Unmarshal(v, &s) != nil || s == "" {
		return "", authn.Refuse(authn.Claims, "the claim %q is not there as a string, or is empty", m.Claim)
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
	list := []string{""}
	switch {
	case v.Kind() == '"' && json.Unmarshal(v, &list[0]) == nil:
	case v.Kind() == '[' && json.Unmarshal(v, &list) == nil:
	default:
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
