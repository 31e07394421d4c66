package demo

import (
	"net/http"
	"strings"
	"sync"
)

// pages is how many requests an app remembers at most. A scene looks at once,
// so it is far more than are ever kept.
const pages = 4096

// An app is what the gate protects, with a note of what arrived on each path.
type app struct {
	next http.Handler

	mu   sync.Mutex
	seen map[string]http.Header
}

func newApp(next http.Handler) *app { return &app{next: next, seen: map[string]http.Header{}} }

// ServeHTTP implements [http.Handler].
func (a *app) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	if len(a.seen) < pages {
		a.seen[r.URL.Path] = r.Header.Clone()
	}
	a.mu.Unlock()
	a.next.ServeHTTP(w, r)
}

// take returns the header that arrived on a path, and forgets it. Nil means
// that nothing arrived.
func (a *app) take(path string) http.Header {
	a.mu.Lock()
	defer a.mu.Unlock()
	h := a.seen[path]
	delete(a.seen, path)
	return h
}

// The headers by which the gate tells the app who is calling (client-go,
// transport/round_trippers.go: the key of extra is escaped).
const (
	userHeader       = "X-Remote-User"
	podHeader        = "X-Remote-Extra-Authentication.kubernetes.io%2Fpod-Name"
	credentialHeader = "X-Remote-Extra-Authentication.kubernetes.io%2Fcredential-Id"
)

// A caller is who the app was told is calling.
type caller struct{ user, pod, token string }

// callerOf reads what the gate wrote. The token is its id, as Kubernetes tells
// it: JTI=ID.
func callerOf(h http.Header) caller {
	return caller{
		user:  strings.Join(h.Values(userHeader), " and "),
		pod:   h.Get(podHeader),
		token: strings.TrimPrefix(h.Get(credentialHeader), "JTI="),
	}
}
