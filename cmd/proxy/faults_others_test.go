package main

import (
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
)

// A revenant is a server that can go and come back at its address.
type revenant struct {
	handler atomic.Pointer[handler]
	addr    string
	mu      sync.Mutex
	server  *http.Server
}

func newRevenant(t *testing.T, h http.Handler) *revenant {
	t.Helper()
	r := &revenant{addr: "127.0.0.1:0"}
	r.handler.Store(&handler{h})
	must(t, r.start())
	t.Cleanup(r.stop)
	return r
}

func (r *revenant) start() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	l, err := net.Listen("tcp", r.addr)
	if err != nil {
		return err
	}
	r.addr = l.Addr().String()
	r.server = &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) { r.handler.Load().ServeHTTP(w, q) })}
	go r.server.Serve(l)
	return nil
}

func (r *revenant) stop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.server.Close()
}

// An idp is another issuer. Its keys are at an address of their own, where a test
// can put anything in their place.
type idp struct {
	provider
	keys *revenant
}

// withIssuer makes the callers those of another issuer.
func withIssuer(b *broken) []string {
	b.idp.provider = newProvider(b.t)
	b.idp.keys = newRevenant(b.t, b.idp.Cluster)
	b.idp.SetJWKSURI("http://" + b.idp.keys.addr + "/openid/v1/jwks")
	b.issue = func() string { return b.idp.token(b.t, nil) }
	b.t.Cleanup(b.idp.Heal)
	return b.idp.config()
}
