package oidc

import (
	"slices"
	"sync"
)

// maxNames bounds what may be learnt. A cluster has one issuer, and two or three
// while it moves from one to the next.
const maxNames = 16

// Names are the cluster's issuers, or the API server's audiences, as far as they
// are known. What was learnt once is kept until restart: a token signed under a
// name that was left may be good for as long as it lives. The zero Names is
// empty and ready to use.
type Names struct {
	mu    sync.RWMutex
	names []string
}

// NewNames returns a Names that knows the given ones.
func NewNames(names ...string) *Names {
	n := &Names{}
	n.Learn(names...)
	return n
}

// Learn adds names and reports which were new. Empty names, and new ones past
// the bound, are left out.
func (n *Names) Learn(names ...string) (fresh []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, name := range names {
		if name != "" && len(n.names) < maxNames && !slices.Contains(n.names, name) {
			n.names = append(n.names, name)
			fresh = append(fresh, name)
		}
	}
	return fresh
}

// Has reports whether name is known, byte for byte.
func (n *Names) Has(name string) bool {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return slices.Contains(n.names, name)
}

// All returns the names in the order in which they were learnt.
func (n *Names) All() []string {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return slices.Clone(n.names)
}
