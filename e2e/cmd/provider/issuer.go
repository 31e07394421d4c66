package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"sallyport/e2e/provider"
)

// An issuer is pkg/op with our storage.
type issuer struct {
	storage *storage
	op      *op.Provider
}

func newIssuer(name string) (*issuer, error) {
	s, err := newStorage()
	if err != nil {
		return nil, err
	}
	p, err := op.NewProvider(&op.Config{SupportedClaims: []string{"sub", "aud", "exp", "iat", "iss", "name", "groups"}},
		s, op.StaticIssuer(name))
	return &issuer{storage: s, op: p}, err
}

// issue asks pkg/op's token endpoint for a person's token. It does so without a
// connection, as tokens are wanted too while none can be had.
func (i *issuer) issue(p provider.Person) (string, error) {
	c := i.storage.register(p)
	defer i.storage.forget(c)
	form := url.Values{"grant_type": {string(oidc.GrantTypeClientCredentials)}}
	r := httptest.NewRequest(http.MethodPost, i.op.TokenEndpoint().Relative(), strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(c.id, c.secret)
	w := httptest.NewRecorder()
	i.op.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		return "", fmt.Errorf("the token endpoint answered %d: %s", w.Code, w.Body)
	}
	var answer oidc.AccessTokenResponse
	err := json.Unmarshal(w.Body.Bytes(), &answer)
	return answer.AccessToken, err
}
