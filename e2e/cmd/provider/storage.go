package main

import (
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"time"

	"github.com/zitadel/oidc/v3/pkg/op"

	"sallyport/e2e/provider"
)

// storage is what pkg/op asks for keys and clients: of its interface as much as
// the grant client_credentials needs.
type storage struct {
	unneeded
	keyring

	mu      sync.Mutex
	clients map[string]client // by their id
}

// unneeded has the methods that nothing here leads to. One that is called panics,
// and the request fails with it.
type unneeded struct{ op.Storage }

// newStorage makes a storage with one key.
func newStorage() (*storage, error) {
	s := &storage{clients: map[string]client{}}
	return s, s.add()
}

// register makes a client that stands for a person, until it is forgotten.
func (s *storage) register(p provider.Person) client {
	c := client{id: rand.Text(), secret: rand.Text(), person: p}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clients[c.id] = c
	return c
}

func (s *storage) forget(c client) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.clients, c.id)
}

func (s *storage) find(id string) (client, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok := s.clients[id]
	if !ok {
		return client{}, errors.New("no such client")
	}
	return c, nil
}

// ClientCredentials implements op.ClientCredentialsStorage, as the next does.
func (s *storage) ClientCredentials(_ context.Context, id, secret string) (op.Client, error) {
	c, err := s.find(id)
	if err == nil && c.secret != secret {
		err = errors.New("wrong secret")
	}
	return c, err
}

func (s *storage) ClientCredentialsTokenRequest(_ context.Context, id string, scopes []string) (op.TokenRequest, error) {
	c, err := s.find(id)
	return grant{c.person, scopes}, err
}

// CreateAccessToken implements op.AuthStorage: it names a token, and says when it
// ends.
func (s *storage) CreateAccessToken(_ context.Context, r op.TokenRequest) (id string, expires time.Time, err error) {
	return rand.Text(), time.Now().Add(r.(grant).person.Life), nil
}

// GetPrivateClaimsFromRequest implements op.CanGetPrivateClaimsFromRequest: the
// claims that pkg/op does not know by itself.
func (s *storage) GetPrivateClaimsFromRequest(_ context.Context, r op.TokenRequest, _ []string) (map[string]any, error) {
	p, claims := r.(grant).person, map[string]any{}
	if p.Name != "" {
		claims["name"] = p.Name
	}
	if len(p.Groups) > 0 {
		claims["groups"] = p.Groups
	}
	return claims, nil
}
