package minicluster

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

var errNotOurs = errors.New("invalid bearer token")

// authenticateToken says who a token belongs to. Its errors are worded as the
// API server words them, for status.error.
func (c *Cluster) authenticateToken(token string, audiences []string) (user, error) {
	iss, ok := claimedIssuer(token)
	issuers := c.Issuers()
	if !ok || iss != legacyIssuer && !slices.Contains(issuers, iss) {
		return user{}, errNotOurs
	}
	// go-jose's first two major versions, which the API server uses, ignore
	// white space everywhere.
	t, err := jwt.ParseSigned(strings.Join(strings.Fields(token), ""), algorithms)
	if err != nil {
		return user{}, errNotOurs
	}
	u, err := c.checkToken(token, t, iss, audiences)
	if err != nil {
		return user{}, fmt.Errorf("[%w, %w]", errNotOurs, err)
	}
	return u, nil
}

// algorithms are those that an RSA or EC key of Kubernetes verifies. The API
// server does not limit them any further.
var algorithms = []jose.SignatureAlgorithm{
	jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512, jose.ES256, jose.ES384, jose.ES512,
}

func (c *Cluster) checkToken(token string, t *jwt.JSONWebToken, iss string, audiences []string) (user, error) {
	var public jwt.Claims
	var bound boundClaims
	var legacy legacyClaims
	if err := c.verify(t, &public, &bound, &legacy); err != nil {
		return user{}, err
	}
	if public.Issuer != iss {
		return user{}, fmt.Errorf("token issuer %q is invalid", public.Issuer)
	}
	has := []string(public.Audience)
	if len(has) == 0 {
		has = c.APIAudiences()
	}
	common := intersect(has, audiences)
	if len(common) == 0 {
		return user{}, fmt.Errorf("token audiences %q is invalid for the target audiences %q", has, audiences)
	}
	validate := func() (user, error) { return c.validateBound(&public, &bound) }
	if iss == legacyIssuer {
		validate = func() (user, error) { return c.validateLegacy(token, &public, &legacy) }
	}
	u, err := validate()
	u.audiences = common
	return u, err
}

// verify reads the claims with the first key that verifies the signature.
func (c *Cluster) verify(t *jwt.JSONWebToken, claims ...any) error {
	keys := c.verifiers(t.Headers[0].KeyID)
	if len(keys) == 0 {
		return errors.New("invalid signature, no keys found")
	}
	var err error
	for _, k := range keys {
		if err = t.Claims(k, claims...); err == nil {
			return nil
		}
	}
	return err
}

// intersect returns those of asked that are in has, in the order asked for.
func intersect(has, asked []string) (common []string) {
	for _, a := range asked {
		if slices.Contains(has, a) {
			common = append(common, a)
		}
	}
	return common
}

// claimedIssuer reads iss before the signature is verified, and refuses what
// has not three parts.
func claimedIssuer(token string) (iss string, ok bool) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return "", false
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return "", false
	}
	var claims struct {
		Issuer string `json:"iss"`
	}
	err = json.Unmarshal(payload, &claims)
	return claims.Issuer, err == nil
}
