package minicluster

import (
	"net/http"
	"sync"
)

// Counts say how often the API server was called, whatever it answered.
type Counts struct {
	Discovery, Keys, Reviews, Tokens, Others int
	// WithCredential counts the calls that carried an Authorization header.
	WithCredential int
}

type counters struct {
	mu sync.Mutex
	n  Counts
}

func (c *counters) add(e Endpoint, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch e {
	case Discovery:
		c.n.Discovery++
	case Keys:
		c.n.Keys++
	case Reviews:
		c.n.Reviews++
	case Tokens:
		c.n.Tokens++
	default:
		c.n.Others++
	}
	if r.Header.Get("Authorization") != "" {
		c.n.WithCredential++
	}
}

// Counts returns the calls since the cluster was made.
func (c *Cluster) Counts() Counts {
	c.counts.mu.Lock()
	defer c.counts.mu.Unlock()
	return c.counts.n
}
