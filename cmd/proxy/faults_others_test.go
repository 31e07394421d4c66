package main

import (
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"sallyport/internal/minicluster"
)

// A revenant is a server that can go and come back at its address.
type revenant struct {
	handler atomic.Pointer[handler]
	port    *minicluster.Port
	mu      sync.Mutex
	server  *http.Server
}

func newRevenant(t testing.TB, h http.Handler) *revenant {
	t.Helper()
	port, err := minicluster.ReservePort()
	must(t, err)
	r := &revenant{port: port}
	r.handler.Store(&handler{h})
	must(t, r.start())
	t.Cleanup(r.stop)
	return r
}

func (r *revenant) start() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	l, err := r.port.Listen()
	if err != nil {
		return err
	}
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
	b.idp.SetJWKSURI("http://" + b.idp.keys.port.Addr() + "/openid/v1/jwks")
	b.issue = func() string { return b.idp.token(b.t, nil) }
	b.t.Cleanup(b.idp.Heal)
	return b.idp.config()
}
