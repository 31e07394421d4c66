package cache

import (
	"crypto/rand"
	"crypto/sha256"
	"sync"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

// A key stands for a token. Tokens themselves are not kept.
type key [sha256.Size]byte

// A hasher turns tokens into keys. Its secret is this process's own, so that
// nobody can choose tokens for the keys that they get.
type hasher struct {
	secret [32]byte
	buffer *sync.Pool
}

func newHasher() hasher {
	h := hasher{buffer: &sync.Pool{New: func() any { b := make([]byte, 0, 2048); return &b }}}
	rand.Read(h.secret[:]) // never fails (crypto/rand)
	return h
}

func (h *hasher) key(token string) key {
	b := h.buffer.Get().(*[]byte)
	*b = append(append((*b)[:0], h.secret[:]...), token...)
	k := sha256.Sum256(*b)
	h.buffer.Put(b)
	return k
}

// proven are the tokens that are good. When they are too many, or take too many
// bytes, those that were used least recently go. Only a proven token gets in,
// so only proven tokens can push others out.
type proven struct {
	max int

	mu      sync.Mutex
	lru     *lru.Cache[key, *entry]
	bytes   int
	evicted atomic.Uint64 // for want of room
}

func newProven(entries, bytes int) *proven {
	p := &proven{max: bytes}
	p.lru, _ = lru.NewWithEvict(entries, func(_ key, e *entry) { p.bytes -= e.bytes() })
	return p
}

func (p *proven) get(k key) *entry {
	e, _ := p.lru.Get(k)
	return e
}

func (p *proven) add(k key, e *entry) {
	p.mu.Lock()
	defer p.mu.Unlock()
	// The old one is replaced and not removed first: whoever asked in between would be
	// a stranger, and wait.
	if old, ok := p.lru.Peek(k); ok {
		p.bytes -= old.bytes()
	}
	if p.lru.Add(k, e) {
		p.evicted.Add(1)
	}
	p.bytes += e.bytes()
	for p.bytes > p.max && p.lru.Len() > 1 {
		p.lru.RemoveOldest()
		p.evicted.Add(1)
	}
}

// drop removes e, and not what may have taken its place meanwhile.
func (p *proven) drop(k key, e *entry) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now, ok := p.lru.Peek(k); ok && now == e {
		p.lru.Remove(k)
	}
}

func (p *proven) remove(k key) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lru.Remove(k)
}

func (p *proven) len() int { return p.lru.Len() }

// maxRefused bounds the refusals that are remembered. They save work against one
// caller that keeps on sending the same bad token; against a flood of different
// ones nothing that remembers helps.
const maxRefused = 4096

// refused are the tokens that are not good.
type refused struct{ lru *lru.Cache[key, refusal] }

type refusal struct {
	err   error
	until time.Time
}

func newRefused() *refused {
	c, _ := lru.New[key, refusal](maxRefused)
	return &refused{c}
}

// get returns the refusal that is remembered, or nil.
func (r *refused) get(k key) error {
	if x, ok := r.lru.Get(k); ok && time.Now().Before(x.until) {
		return x.err
	}
	return nil
}

func (r *refused) add(k key, err error) {
	r.lru.Add(k, refusal{err, time.Now().Add(refusalLife)})
}
