package main

import (
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"sallyport/e2e/provider"
)

// A client stands for one person. It may do nothing but ask for its own token.
type client struct {
	op.Client // nil: the grant client_credentials needs no more than the below
	id        string
	secret    string
	person    provider.Person
}

func (c client) GetID() string { return c.id }
func (c client) GrantTypes() []oidc.GrantType {
	return []oidc.GrantType{oidc.GrantTypeClientCredentials}
}
func (c client) AccessTokenType() op.AccessTokenType { return op.AccessTokenTypeJWT }
func (c client) ClockSkew() time.Duration            { return 0 }

// RestrictAdditionalAccessTokenScopes restricts nothing.
func (c client) RestrictAdditionalAccessTokenScopes() func([]string) []string {
	return func(scopes []string) []string { return scopes }
}

// A grant is a request for a token that a client may have.
type grant struct {
	person provider.Person
	scopes []string
}

func (g grant) GetSubject() string    { return g.person.Subject }
func (g grant) GetAudience() []string { return g.person.Audience }
func (g grant) GetScopes() []string   { return g.scopes }
