package minicluster

import (
	"net/http"
	"slices"
	"time"
)

// SetJWKSURI sets where the discovery document says the keys are. The default
// is an address that nobody reaches: an API server names its advertised
// address, and pods may have no way there.
func (c *Cluster) SetJWKSURI(uri string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.jwksURI = uri
}

// SetKeysMaxAge sets how long the discovery document and the keys say that they
// may be cached, in whole seconds. Default: an hour. With an external signer it
// may be 0.
func (c *Cluster) SetKeysMaxAge(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keysMaxAge = d
}

// providerMetadata is all that an API server's discovery document has
// (pkg/serviceaccount/openidmetadata.go).
type providerMetadata struct {
	Issuer        string   `json:"issuer"`
	JWKSURI       string   `json:"jwks_uri"`
	ResponseTypes []string `json:"response_types_supported"`
	SubjectTypes  []string `json:"subject_types_supported"`
	Algorithms    []string `json:"id_token_signing_alg_values_supported"`
}

func (c *Cluster) discovery(r call) (answer, error) {
	m := providerMetadata{
		Issuer:        c.Issuers()[0],
		ResponseTypes: []string{"id_token"},
		SubjectTypes:  []string{"public"},
	}
	for _, k := range c.published().Keys {
		m.Algorithms = append(m.Algorithms, k.Algorithm)
	}
	slices.Sort(m.Algorithms)
	m.Algorithms = slices.Compact(m.Algorithms)
	c.mu.Lock()
	m.JWKSURI = c.jwksURI
	c.mu.Unlock()
	return c.public(r, "application/json", m)
}

func (c *Cluster) jwks(r call) (answer, error) {
	return c.public(r, "application/jwk-set+json", c.published())
}

// public answers those who may read the discovery document and the keys. To
// nobody is a name too: by default it may not.
func (c *Cluster) public(r call, contentType string, body any) (answer, error) {
	u, err := c.caller(r)
	if err != nil {
		return answer{}, err
	}
	if !c.may(u, Discover) {
		return answer{}, forbidden("forbidden: User %q cannot get path %q", u.info.Username, r.URL.Path)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return answer{http.StatusOK, contentType, int(c.keysMaxAge.Seconds()), true, body}, nil
}
