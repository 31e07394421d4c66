package oidc

import (
	"context"
	"sync"
	"time"

	"go.uber.org/zap"

	"sallyport/internal/authn"
)

// A Document is what an issuer publishes of its keys.
type Document struct {
	// Keys is a JWK Set.
	Keys []byte
	// MaxAge is what Cache-Control allows; zero means that it says nothing.
	MaxAge time.Duration
}

// A Source fetches an issuer's keys once.
type Source func(ctx context.Context) (Document, error)

// Lifetimes say how keys live. All are needed.
type Lifetimes struct {
	// Interval is between two fetches, less up to 20 % jitter.
	Interval time.Duration
	// Cooldown is the least time between two fetches for an unknown key id.
	Cooldown time.Duration
	// RemovalPause is the least time between the two good fetches that must
	// lack a key before it goes: API servers differ during a rollout.
	RemovalPause time.Duration
}

const (
	// maxKeyAge is how long keys are used that could not be fetched again. It
	// bridges any outage that somebody is working on, and no more: a key
	// that was withdrawn because it leaked must not be good for ever.
	maxKeyAge = 24 * time.Hour
	// fetchTimeout bounds one fetch, so that a decision that needs one still
	// has time for a review.
	fetchTimeout = 3 * time.Second
	// minRetry and maxRetry bound the pause after a failed fetch. With the
	// timeout of a fetch under way it keeps recovery within 10 s.
	minRetry = time.Second
	maxRetry = 5 * time.Second
)

// A KeySet is one issuer's keys. It is filled and kept fresh by Run; until the
// first good fetch nothing can be verified.
type KeySet struct {
	// Issuer names the set in logs.
	issuer string
	source Source
	life   Lifetimes
	log    *zap.Logger
	// observe is told of each fetch.
	observe func(error)

	// loaded is closed by the first good fetch.
	loaded chan struct{}
	// wake tells Run that the next fetch was rescheduled.
	wake chan struct{}

	mu       sync.Mutex
	keys     []*key
	good     time.Time // start of the last good fetch
	failures int       // fetches failed since
	lastErr  error
	next     time.Time
	inflight *flight
}

// A flight is a fetch under way; done is closed when its outcome is in the set.
type flight struct {
	done chan struct{}
}

// NewKeySet returns the key set of an issuer. Observe is told of each fetch; it
// may be nil.
func NewKeySet(issuer string, source Source, life Lifetimes, log *zap.Logger, observe func(error)) *KeySet {
	if observe == nil {
		observe = func(error) {}
	}
	return &KeySet{
		issuer: issuer, source: source, life: life, observe: observe,
		log:    log.With(zap.String("issuer", issuer)),
		loaded: make(chan struct{}), wake: make(chan struct{}, 1),
	}
}

// Loaded is closed once keys were fetched for the first time.
func (s *KeySet) Loaded() <-chan struct{} { return s.loaded }

// Err says why there are no usable keys, and is nil while there are.
func (s *KeySet) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.usable()
}

func (s *KeySet) usable() error {
	if len(s.keys) > 0 {
		return nil
	}
	if s.lastErr != nil {
		return unavailable(s.lastErr, "the keys of %s", s.issuer)
	}
	return authn.Unavailable(authn.KeysUnavailable, "the keys of %s were not fetched yet", s.issuer)
}

// Run keeps the keys fresh until ctx ends.
func (s *KeySet) Run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.wake:
		case <-timer.C:
			select {
			case <-s.due():
			case <-ctx.Done():
				return nil
			}
		}
		s.mu.Lock()
		timer.Reset(time.Until(s.next))
		s.mu.Unlock()
	}
}

// Fetch fetches the keys now, or joins who is at it, for at most 3 s, and returns
// what it failed of. It is for those who look once: Run does it by itself.
func (s *KeySet) Fetch(ctx context.Context) error {
	s.mu.Lock()
	f := s.fetchLocked(ctx)
	s.mu.Unlock()
	select {
	case <-f.done:
	case <-ctx.Done():
		return ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lastErr
}

// find returns the keys that may have signed a token of that key id and
// algorithm. Where there is none it causes a fetch, at most one a cool-down
// whoever asks, and waits for it. It refuses a key that is unknown even then;
// where the last fetch failed nobody can tell, and that is an outage.
func (s *KeySet) find(ctx context.Context, id, alg string) ([]*key, error) {
	keys, f, err := s.match(ctx, id, alg)
	if f == nil {
		return keys, err
	}
	authn.Waits(ctx)
	select {
	case <-f.done:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.outcome(id, alg)
}

// match looks without waiting. A flight means: wait for it and look again.
func (s *KeySet) match(ctx context.Context, id, alg string) ([]*key, *flight, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	keys, err := s.outcome(id, alg)
	if err == nil || len(s.keys) == 0 || s.failures > 0 {
		return keys, nil, err
	}
	if s.inflight == nil && time.Since(s.good) < s.life.Cooldown {
		return nil, nil, err
	}
	return nil, s.fetchLocked(ctx), nil
}

func (s *KeySet) outcome(id, alg string) ([]*key, error) {
	if err := s.usable(); err != nil {
		return nil, err
	}
	if keys := s.lookup(id, alg); len(keys) > 0 {
		return keys, nil
	}
	if s.failures > 0 {
		return nil, unavailable(s.lastErr, "key %q of %s is not known, and the keys could not be fetched", id, s.issuer)
	}
	return nil, authn.Refuse(authn.UnknownKey, "key %q of %s", id, s.issuer)
}

// lookup returns more than one key where an issuer gives a new key the id of an
// old one that is on its way out; the published ones come first. For a token
// without a key id the issuer must publish just one key that fits (OpenID
// Connect Core 1.0 section 10.1).
func (s *KeySet) lookup(id, alg string) (found []*key) {
	published := 0
	for _, k := range s.keys {
		if !k.fits(alg) || id != "" && k.KeyID != id {
			continue
		}
		found = append(found, k)
		if k.missing.IsZero() {
			published++
		}
	}
	if id == "" && published > 1 {
		return nil
	}
	return found
}
