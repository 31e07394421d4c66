package minicluster

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"maps"
	"sync"
	"time"
)

const (
	// successTTL is how long the API server remembers a token that it accepted
	// (pkg/kubeapiserver/options/authentication.go). It remembers no refusal.
	successTTL = 10 * time.Second
	// maxReviewed bounds what is remembered. The API server has no such bound;
	// it is more than any test or demonstration shows at once.
	maxReviewed = 10000
)

// A reviewCache remembers accepted tokens, whatever happens to them meanwhile:
// expiry and deletion are not seen until the entry is over.
type reviewCache struct {
	ttl    time.Duration
	secret [32]byte // so that what is kept is of no use to anybody

	mu      sync.Mutex
	entries map[[sha256.Size]byte]reviewed
}

type reviewed struct {
	user  user
	until time.Time
}

func newReviewCache(ttl time.Duration) *reviewCache {
	if ttl == 0 {
		ttl = successTTL
	}
	rc := &reviewCache{ttl: ttl, entries: map[[sha256.Size]byte]reviewed{}}
	rand.Read(rc.secret[:])
	return rc
}

// key covers the token and the audiences, in their order.
func (rc *reviewCache) key(token string, audiences []string) [sha256.Size]byte {
	// JSON of strings is one to one, and strings always have one.
	b, _ := json.Marshal(append([]string{string(rc.secret[:]), token}, audiences...))
	return sha256.Sum256(b)
}

func (rc *reviewCache) get(token string, audiences []string) (user, bool) {
	rc.mu.Lock()
	defer rc.mu.Unlock()
	e, ok := rc.entries[rc.key(token, audiences)]
	return e.user, ok && time.Now().Before(e.until)
}

func (rc *reviewCache) put(token string, audiences []string, u user) {
	if rc.ttl < 0 {
		return
	}
	now := time.Now()
	rc.mu.Lock()
	defer rc.mu.Unlock()
	if len(rc.entries) >= maxReviewed {
		maps.DeleteFunc(rc.entries, func(_ [sha256.Size]byte, e reviewed) bool { return !now.Before(e.until) })
	}
	if len(rc.entries) < maxReviewed {
		rc.entries[rc.key(token, audiences)] = reviewed{u, now.Add(rc.ttl)}
	}
}

// Forget makes the API server forget the tokens that it accepted, as a restart
// does.
func (c *Cluster) Forget() {
	c.reviewed.mu.Lock()
	defer c.reviewed.mu.Unlock()
	clear(c.reviewed.entries)
}
