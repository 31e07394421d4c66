package main

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"

	"sallyport/e2e/provider"
)

// most is how many requests are kept, which is far more than a gate sends in the
// time of a scenario.
const most = 10_000

// A witness keeps what came before it passes it on.
type witness struct {
	next http.Handler

	mu   sync.Mutex
	seen provider.Seen
}

func (w *witness) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w.keep(provider.Request{
		Method: r.Method, Path: r.URL.Path,
		Headers: slices.Sorted(maps.Keys(r.Header)),
		Query:   r.URL.RawQuery != "", Body: r.ContentLength != 0,
		Authorization: fingerprint(r.Header.Get("Authorization")),
	})
	w.next.ServeHTTP(rw, r)
}

func (w *witness) keep(r provider.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.seen.Requests) == most {
		w.seen.More++
		return
	}
	w.seen.Requests = append(w.seen.Requests, r)
}

func (w *witness) tell() provider.Seen {
	w.mu.Lock()
	defer w.mu.Unlock()
	return provider.Seen{Requests: slices.Clone(w.seen.Requests), More: w.seen.More}
}

// fingerprint is of the token in a header, or of what is there in its place.
func fingerprint(header string) string {
	if header == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(strings.TrimPrefix(header, "Bearer ")))
	return hex.EncodeToString(sum[:4]) // as the caller's pod makes them
}
