package oidc

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"sync"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"
	"go.uber.org/zap"

	"sallyport/internal/authn"
)

// Keys are made once, as that takes a while.
var (
	rsaKey    = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })
	otherRSA  = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })
	p256      = sync.OnceValue(func() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) })
	otherP256 = sync.OnceValue(func() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) })
	p384      = sync.OnceValue(func() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader)) })
	p521      = sync.OnceValue(func() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P521(), rand.Reader)) })
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// jwk returns a public key as a JWK; change may be nil.
func jwk(key crypto.Signer, id string, change map[string]any) json.RawMessage {
	b := must(json.Marshal(jose.JSONWebKey{Key: key.Public(), KeyID: id}))
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		panic(err)
	}
	maps.Copy(m, change)
	return must(json.Marshal(m))
}

func jwks(keys ...json.RawMessage) []byte {
	return must(json.Marshal(map[string]any{"keys": keys}))
}

// sign returns a compact JWS; an alg of the key's own kind.
func sign(alg string, key any, header, claims map[string]any) string {
	o := &jose.SignerOptions{}
	for k, v := range header {
		o.WithHeader(jose.HeaderKey(k), v)
	}
	s := must(jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(alg), Key: key}, o))
	return must(must(s.Sign(must(json.Marshal(claims)))).CompactSerialize())
}

const (
	issuer = "https://issuer.example"
	ours   = "our-service"
	minute = time.Minute
)

// serviceAccountClaims are those of a good token for one hour; change may be
// nil, and a nil value takes a claim away.
func serviceAccountClaims(change map[string]any) map[string]any {
	now := time.Now().Unix()
	c := map[string]any{
		"iss": issuer, "sub": "system:serviceaccount:ns:app", "aud": []string{ours},
		"exp": now + 3600, "iat": now, "nbf": now, "jti": "id-1",
		"kubernetes.io": map[string]any{
			"namespace": "ns", "serviceaccount": map[string]any{"name": "app", "uid": "u1"},
		},
	}
	for k, v := range change {
		c[k] = v
		if v == nil {
			delete(c, k)
		}
	}
	return c
}

// A publisher is a Source whose answer a test changes.
type publisher struct {
	mu     sync.Mutex
	keys   []byte
	age    time.Duration
	err    error
	source Source // instead of all that
	at     []time.Time
}

func (p *publisher) fetch(ctx context.Context) (Document, error) {
	p.mu.Lock()
	p.at = append(p.at, time.Now())
	d, err, source := Document{p.keys, p.age}, p.err, p.source
	p.mu.Unlock()
	if source != nil {
		return source(ctx)
	}
	return d, err
}

func (p *publisher) publish(keys ...json.RawMessage) {
	p.mu.Lock()
	p.keys, p.err, p.source = jwks(keys...), nil, nil
	p.mu.Unlock()
}

func (p *publisher) fail(err error) {
	p.mu.Lock()
	p.err = err
	p.mu.Unlock()
}

func (p *publisher) behave(s Source) {
	p.mu.Lock()
	p.source = s
	p.mu.Unlock()
}

func (p *publisher) fetches() []time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.at
}

func hang(ctx context.Context) (Document, error) {
	<-ctx.Done()
	return Document{}, ctx.Err()
}

var errDown = errors.New("the issuer is down")

var usual = Lifetimes{Interval: 5 * time.Minute, Cooldown: 10 * time.Second, RemovalPause: time.Minute}

// start runs a key set until the test ends.
func start(t *testing.T, p *publisher, life Lifetimes) *KeySet {
	t.Helper()
	s := NewKeySet("https://issuer.example", p.fetch, life, zap.NewNop(), nil)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { s.Run(ctx); close(done) }()
	t.Cleanup(func() { cancel(); <-done })
	return s
}

// want checks a decision: "" means good.
func want(t *testing.T, what string, err error, reason authn.Reason) {
	t.Helper()
	if reason == "" {
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
		return
	}
	kind := authn.ErrUnauthenticated
	if reason == authn.KeysUnavailable || reason == authn.OwnToken {
		kind = authn.ErrUnavailable
	}
	if !errors.Is(err, kind) || authn.ReasonOf(err) != reason {
		t.Errorf("%s: err = %v, want %v for %s", what, err, kind, reason)
	}
}

func numbered(i int) string { return fmt.Sprintf("kid-%d", i) }
