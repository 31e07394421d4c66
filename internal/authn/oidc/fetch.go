package oidc

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"go.uber.org/zap"
)

// due fetches, unless somebody else did since the timer was set. What it returns
// is closed when there is nothing more to wait for.
func (s *KeySet) due() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.inflight == nil && time.Now().Before(s.next) {
		done := make(chan struct{})
		close(done)
		return done
	}
	return s.fetchLocked(context.Background()).done
}

// fetchLocked joins the fetch under way, or starts one. Whoever asked first may
// leave: the fetch goes on for the others, and is bounded by its own time alone. Their
// context says whose trace it belongs to.
func (s *KeySet) fetchLocked(ctx context.Context) *flight {
	if s.inflight == nil {
		f := &flight{done: make(chan struct{})}
		s.inflight = f
		go s.run(context.WithoutCancel(ctx), f)
	}
	return s.inflight
}

func (s *KeySet) run(ctx context.Context, f *flight) {
	start := time.Now()
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	keys, maxAge, err := s.load(ctx)
	cancel()
	s.observe(err)

	s.mu.Lock()
	if err != nil {
		s.failed(start, err)
	} else {
		s.fetched(start, keys, maxAge)
	}
	s.inflight = nil
	s.mu.Unlock()
	close(f.done)

	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// load fetches and parses. A panic in a parser is a failed fetch: it must not
// end the gate, nor leave everybody waiting.
func (s *KeySet) load(ctx context.Context) (keys []*key, maxAge time.Duration, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	doc, err := s.source(ctx)
	if err != nil {
		return nil, 0, err
	}
	keys, err = parseKeys(s.issuer, doc.Keys)
	return keys, doc.MaxAge, err
}

// failed keeps the keys, until they are too old, and tries again soon.
func (s *KeySet) failed(start time.Time, err error) {
	s.failures++
	s.lastErr = err
	if s.failures == 1 {
		s.log.Error("cannot fetch the issuer's keys; trying again every few seconds", zap.Error(err), zap.Int("keys", len(s.keys)))
	}
	if len(s.keys) > 0 && start.Sub(s.good) >= maxKeyAge {
		s.log.Error("the issuer's keys are too old to be used", zap.Time("fetched", s.good))
		withdraw(s.keys)
		s.keys = nil
	}
	pause := min(minRetry<<min(s.failures-1, 3), maxRetry)
	s.next = time.Now().Add(jitter(pause))
}

// fetched takes over what the issuer publishes now, and decides what becomes of
// the keys that it no longer does.
func (s *KeySet) fetched(start time.Time, published []*key, maxAge time.Duration) {
	if s.failures > 0 {
		s.log.Info("the issuer's keys can be fetched again", zap.Int("failures", s.failures))
	}
	s.failures, s.lastErr, s.good = 0, nil, start

	pause := jitter(s.life.Interval)
	if maxAge > 0 {
		// An issuer may say 0 (KEP-740), and a whole fleet would obey. Fetching
		// more often than a key may leave finds nothing sooner: a removal takes
		// two fetches that far apart, and a new key is fetched when it is met.
		floor := s.life.RemovalPause
		pause = min(pause, max(jitter(maxAge), jitter(floor+floor/4)))
	}
	keys, leaving := s.merge(start, published)
	if leaving {
		pause = min(pause, s.life.RemovalPause)
	}
	s.keys = keys
	// Never more often than for an unknown key.
	s.next = time.Now().Add(max(pause, s.life.Cooldown))
	select {
	case <-s.loaded:
	default:
		close(s.loaded)
	}
}

// merge returns the published keys and those that only one fetch has lacked so
// far, which are still good. Keys that are the same keep their proof.
func (s *KeySet) merge(now time.Time, published []*key) (keys []*key, leaving bool) {
	for _, p := range published {
		if find(keys, p) != nil {
			continue // published twice
		}
		k := find(s.keys, p)
		if k == nil {
			s.log.Info("new key", zap.String("key_id", p.KeyID), zap.String("algorithm", p.Algorithm))
			k, p.since = p, now
		}
		k.missing = time.Time{}
		keys = append(keys, k)
	}
	for _, old := range s.keys {
		switch {
		case find(keys, old) != nil:
		case old.missing.IsZero():
			old.missing = now
			keys, leaving = append(keys, old), true
		case now.Sub(old.missing) < s.life.RemovalPause:
			keys, leaving = append(keys, old), true
		default:
			s.log.Info("key removed, and every decision that rests on it", zap.String("key_id", old.KeyID))
			old.proof.Withdraw()
		}
	}
	return keys, leaving
}

// find returns the one of keys that is the same as k.
func find(keys []*key, k *key) *key {
	i := slices.IndexFunc(keys, k.same)
	if i < 0 {
		return nil
	}
	return keys[i]
}

func withdraw(keys []*key) {
	for _, k := range keys {
		k.proof.Withdraw()
	}
}

// jitter takes up to a fifth off d, so that a fleet that started together does
// not ask together.
func jitter(d time.Duration) time.Duration {
	return d - rand.N(d/5+1)
}
