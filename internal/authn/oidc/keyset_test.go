package oidc

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"sallyport/internal/authn"
)

func (s *KeySet) has(t *testing.T, id string) error {
	t.Helper()
	_, err := s.find(t.Context(), id, "ES256")
	return err
}

// proof returns the proof of the key that would verify a token first.
func (s *KeySet) proof(t *testing.T, id string) *authn.Proof {
	t.Helper()
	k, err := s.find(t.Context(), id, "ES256")
	if err != nil {
		t.Fatal(err)
	}
	return k[0].proof
}

func loaded(s *KeySet) bool {
	select {
	case <-s.Loaded():
		return true
	default:
		return false
	}
}

func TestFirstFetchFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &publisher{err: errDown}
		s := start(t, p, usual)
		want(t, "before any fetch", s.has(t, "a"), authn.KeysUnavailable)
		synctest.Wait()
		want(t, "after a failed one", s.has(t, "a"), authn.KeysUnavailable)
		if loaded(s) || s.Err() == nil {
			t.Errorf("loaded: %v, Err() = %v", loaded(s), s.Err())
		}
		time.Sleep(time.Minute)
		p.publish(jwk(p256(), "a", nil))
		time.Sleep(maxRetry)
		synctest.Wait()
		want(t, "later", s.has(t, "a"), "")
		if !loaded(s) || s.Err() != nil {
			t.Errorf("loaded: %v, Err() = %v", loaded(s), s.Err())
		}
	})
}

func TestRetries(t *testing.T) {
	for name, behave := range map[string]Source{
		"error": func(context.Context) (Document, error) { return Document{}, errDown },
		"empty": func(context.Context) (Document, error) { return Document{}, nil },
		"none that can be used": func(context.Context) (Document, error) {
			return Document{Keys: []byte(`{"keys":[]}`)}, nil
		},
		"panic": func(context.Context) (Document, error) { panic("a parser's bug") },
		"hang":  hang,
	} {
		synctest.Test(t, func(t *testing.T) {
			p := &publisher{source: behave}
			s := start(t, p, usual)
			time.Sleep(10 * time.Minute)
			synctest.Wait()
			if s.Err() == nil {
				t.Errorf("%s: no error", name)
			}
			at := p.fetches()
			for i := 1; i < len(at); i++ {
				if gap := at[i].Sub(at[i-1]); gap < minRetry*4/5 || gap > maxRetry+fetchTimeout {
					t.Errorf("%s: fetch %d came after %v", name, i, gap)
				}
			}
			p.publish(jwk(p256(), "a", nil))
			time.Sleep(10 * time.Second)
			want(t, name+", 10 s after it is over", s.has(t, "a"), "")
		})
	}
}

func TestRefresh(t *testing.T) {
	for name, tc := range map[string]struct {
		age         time.Duration
		least, most time.Duration
	}{
		"nothing said":    {0, 4 * time.Minute, 5 * time.Minute},
		"longer":          {time.Hour, 4 * time.Minute, 5 * time.Minute},
		"shorter":         {2 * time.Minute, 96 * time.Second, 2 * time.Minute},
		"a minute":        {time.Minute, time.Minute, 75 * time.Second},
		"zero":            {time.Second, time.Minute, 75 * time.Second},
		"at the cooldown": {11 * time.Second, time.Minute, 75 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			p := &publisher{age: tc.age}
			p.publish(jwk(p256(), "a", nil))
			start(t, p, usual)
			time.Sleep(2 * time.Hour)
			at := p.fetches()
			gaps := map[time.Duration]bool{}
			for i := 1; i < len(at); i++ {
				gap := at[i].Sub(at[i-1])
				if gaps[gap] = true; gap < tc.least || gap > tc.most {
					t.Errorf("%s: fetched after %v", name, gap)
				}
			}
			if len(gaps) < 2 {
				t.Errorf("%s: no jitter: %v", name, gaps)
			}
		})
	}
}

func TestUnknownKeyFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &publisher{}
		p.publish(jwk(p256(), "a", nil))
		s := start(t, p, usual)
		synctest.Wait()
		begin := len(p.fetches())
		at := time.Now()
		for i := range 10_000 {
			want(t, "unknown", s.has(t, numbered(i)), authn.UnknownKey)
			want(t, "known", s.has(t, "a"), "")
			time.Sleep(3 * time.Millisecond)
		}
		most := int(time.Since(at)/usual.Cooldown) + 1
		if n := len(p.fetches()) - begin; n == 0 || n > most {
			t.Errorf("%d fetches in %v, want 1 to %d", n, time.Since(at), most)
		}
	})
}

func TestUnknownKeyTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &publisher{}
		p.publish(jwk(p256(), "a", nil))
		s := start(t, p, usual)
		time.Sleep(usual.Cooldown)
		doc := Document{Keys: jwks(jwk(p256(), "a", nil), jwk(otherP256(), "b", nil))}
		p.behave(func(context.Context) (Document, error) { time.Sleep(time.Second); return doc, nil })
		begin, at := len(p.fetches()), time.Now()
		var all sync.WaitGroup
		for i := range 1000 {
			all.Go(func() { want(t, "unknown", s.has(t, numbered(i)), authn.UnknownKey) })
			all.Go(func() { want(t, "new", s.has(t, "b"), "") })
		}
		all.Wait()
		if n := len(p.fetches()) - begin; n != 1 || time.Since(at) != time.Second {
			t.Errorf("%d fetches in %v, want one in its second", n, time.Since(at))
		}
	})
}

// A key that was published one cool-down before its first use is never refused,
// wherever in our rhythm that is, and though strangers cause fetches all the time.
// placed returns a context with a place, and whether it was given back.
func placed(t *testing.T) (ctx context.Context, left *bool) {
	left = new(bool)
	return authn.WithPlace(t.Context(), func() { *left = true }), left
}

// Who waits for a fetch gives its place back, and nobody else does.
func TestWaitingForKeysLeavesThePlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &publisher{}
		p.publish(jwk(p256(), "a", nil))
		s := start(t, p, usual)
		synctest.Wait()
		for id, wanted := range map[string]bool{"a": false, "unknown": true} {
			time.Sleep(usual.Cooldown)
			ctx, left := placed(t)
			s.find(ctx, id, "ES256")
			if *left != wanted {
				t.Errorf("key %q: left = %v", id, *left)
			}
		}
	})
}

func TestNewKey(t *testing.T) {
	for offset := range 40 {
		synctest.Test(t, func(t *testing.T) {
			p := &publisher{}
			p.publish(jwk(p256(), "a", nil))
			s := start(t, p, usual)
			for range offset {
				time.Sleep(370 * time.Millisecond)
				s.has(t, "stranger")
			}
			p.publish(jwk(p256(), "a", nil), jwk(otherP256(), "b", nil))
			for range 20 {
				time.Sleep(usual.Cooldown / 20)
				s.has(t, "stranger")
			}
			want(t, "first use", s.has(t, "b"), "")
		})
	}
}

func TestUnknownKeyIsNotRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &publisher{}
		p.publish(jwk(p256(), "a", nil))
		s := start(t, p, usual)
		synctest.Wait()
		err := s.has(t, "b")
		want(t, "inside the cool-down", err, authn.UnknownKey)
		if len(p.fetches()) != 1 || authn.ReasonOf(err).Remembered() {
			t.Errorf("%d fetches, remembered: %v", len(p.fetches()), authn.ReasonOf(err).Remembered())
		}
	})
}

func TestUnknownKeyWhileFetchesFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &publisher{}
		p.publish(jwk(p256(), "a", nil))
		s := start(t, p, usual)
		time.Sleep(usual.Cooldown)
		p.fail(errDown)
		want(t, "the fetch that it causes fails", s.has(t, "b"), authn.KeysUnavailable)
		n := len(p.fetches())
		want(t, "the next", s.has(t, "b"), authn.KeysUnavailable)
		want(t, "a known key", s.has(t, "a"), "")
		if len(p.fetches()) != n {
			t.Error("they caused a fetch, which is for the retries to do")
		}
		if s.Err() != nil {
			t.Errorf("Err() = %v with keys at hand", s.Err())
		}
	})
}

func TestHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &publisher{}
		p.publish(jwk(p256(), "a", nil))
		s := start(t, p, usual)
		time.Sleep(usual.Cooldown)
		p.behave(hang)
		begin := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var all sync.WaitGroup
		all.Go(func() {
			_, err := s.find(ctx, "b", "ES256")
			if !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != time.Second {
				t.Errorf("one who leaves: %v after %v", err, time.Since(begin))
			}
		})
		all.Go(func() {
			want(t, "one who stays", s.has(t, "b"), authn.KeysUnavailable)
			if time.Since(begin) != fetchTimeout {
				t.Errorf("the wait took %v, want %v", time.Since(begin), fetchTimeout)
			}
		})
		want(t, "a known key", s.has(t, "a"), "")
		all.Wait()
	})
}

// Whoever asked first may leave: the others get the answer all the same.
func TestLeavingCancelsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &publisher{}
		p.publish(jwk(p256(), "a", nil))
		s := start(t, p, usual)
		time.Sleep(usual.Cooldown)
		doc := Document{Keys: jwks(jwk(otherP256(), "b", nil))}
		p.behave(func(ctx context.Context) (Document, error) {
			select {
			case <-time.After(time.Second):
				return doc, nil
			case <-ctx.Done():
				return Document{}, ctx.Err()
			}
		})
		ctx, cancel := context.WithCancel(t.Context())
		go s.find(ctx, "b", "ES256")
		synctest.Wait()
		time.AfterFunc(time.Millisecond, cancel)
		want(t, "the second", s.has(t, "b"), "")
	})
}

func TestRemovedKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &publisher{}
		a, b := jwk(p256(), "a", nil), jwk(otherP256(), "b", nil)
		p.publish(a, b)
		s := start(t, p, usual)
		synctest.Wait()
		kept, gone := s.proof(t, "a"), s.proof(t, "b")
		p.publish(a)
		removed := time.Now()
		var lacked time.Time
		for gone.Stands() && time.Since(removed) < time.Hour {
			if n := p.fetches(); lacked.IsZero() && n[len(n)-1].After(removed) {
				lacked = n[len(n)-1]
			}
			time.Sleep(time.Second)
		}
		if took := time.Since(removed); took > 2*usual.Interval {
			t.Errorf("the removed key worked for %v, which is more than two refreshes", took)
		}
		if pause := time.Since(lacked); pause < usual.RemovalPause {
			t.Errorf("the key went %v after the first fetch without it", pause)
		}
		want(t, "removed", s.has(t, "b"), authn.UnknownKey)
		if !kept.Stands() || s.proof(t, "a") != kept {
			t.Error("the key that stayed lost its proof")
		}
	})
}

// Fetches that strangers cause count towards a removal, but not twice within the
// pause.
func TestRemovalPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &publisher{age: time.Second} // an issuer that always asks for fresh keys
		a, b := jwk(p256(), "a", nil), jwk(otherP256(), "b", nil)
		p.publish(a, b)
		s := start(t, p, usual)
		synctest.Wait()
		gone := s.proof(t, "b")
		p.publish(a)
		begin, n := time.Now(), len(p.fetches())
		for gone.Stands() {
			s.has(t, "stranger")
			time.Sleep(100 * time.Millisecond)
		}
		if took := time.Since(begin); took < usual.RemovalPause || took > usual.RemovalPause+3*usual.Cooldown {
			t.Errorf("went after %v", took)
		}
		if n := len(p.fetches()) - n; n > int(time.Since(begin)/usual.Cooldown)+1 {
			t.Errorf("%d fetches in %v", n, time.Since(begin))
		}
	})
}

// Two API servers that differ take turns: a key that one of them has stays.
func TestFlappingServers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &publisher{}
		a, b := jwk(p256(), "a", nil), jwk(otherP256(), "b", nil)
		p.publish(a, b)
		s := start(t, p, usual)
		synctest.Wait()
		proof := s.proof(t, "b")
		for i := range 20 {
			if i%2 == 0 {
				p.publish(a)
			} else {
				p.publish(a, b)
			}
			n := len(p.fetches())
			for len(p.fetches()) == n {
				time.Sleep(time.Second)
			}
			synctest.Wait()
			want(t, "flapping", s.has(t, "b"), "")
		}
		if !proof.Stands() {
			t.Error("the proof was withdrawn")
		}
	})
}

// What was withdrawn stays so, even when the same key comes back.
func TestKeyComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &publisher{}
		a, b := jwk(p256(), "a", nil), jwk(otherP256(), "b", nil)
		p.publish(a, b)
		s := start(t, p, usual)
		synctest.Wait()
		old := s.proof(t, "b")
		p.publish(a)
		time.Sleep(2 * usual.Interval)
		p.publish(a, b)
		time.Sleep(usual.Interval)
		if now := s.proof(t, "b"); old.Stands() || !now.Stands() {
			t.Errorf("the old proof stands: %v, the new one: %v", old.Stands(), now.Stands())
		}
	})
}

func TestFailedFetchRemovesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &publisher{}
		p.publish(jwk(p256(), "a", nil))
		s := start(t, p, usual)
		synctest.Wait()
		proof := s.proof(t, "a")
		for range 50 {
			p.publish() // an answer without a key
			time.Sleep(10 * time.Minute)
			p.fail(errDown)
			time.Sleep(10 * time.Minute)
		}
		want(t, "17 hours later", s.has(t, "a"), "")
		if !proof.Stands() {
			t.Error("the proof was withdrawn")
		}
	})
}

func TestKeysTooOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &publisher{}
		p.publish(jwk(p256(), "a", nil))
		s := start(t, p, usual)
		synctest.Wait()
		proof := s.proof(t, "a")
		p.fail(errDown)
		time.Sleep(maxKeyAge - time.Minute)
		want(t, "just before 24 h", s.has(t, "a"), "")
		time.Sleep(2 * time.Minute)
		want(t, "just after", s.has(t, "a"), authn.KeysUnavailable)
		if proof.Stands() || s.Err() == nil {
			t.Errorf("the proof stands: %v, Err() = %v", proof.Stands(), s.Err())
		}
		p.publish(jwk(p256(), "a", nil))
		time.Sleep(10 * time.Second)
		want(t, "and back", s.has(t, "a"), "")
	})
}

// The same id for another key: the new one first, and the old one for as long as
// it may only be late.
func TestReusedKeyID(t *testing.T) {
	for _, id := range []string{"a", ""} {
		synctest.Test(t, func(t *testing.T) {
			p := &publisher{}
			p.publish(jwk(p256(), id, nil))
			s := start(t, p, usual)
			synctest.Wait()
			old := s.proof(t, id)
			p.publish(jwk(otherP256(), id, nil))
			for len(p.fetches()) == 1 {
				time.Sleep(time.Second)
			}
			synctest.Wait()
			keys, err := s.find(t.Context(), id, "ES256")
			if err != nil || len(keys) != 2 || keys[0].proof == old || keys[1].proof != old {
				t.Fatalf("%q: %d keys, %v; want the new one and the old one", id, len(keys), err)
			}
			time.Sleep(usual.RemovalPause + time.Second)
			if now := s.proof(t, id); old.Stands() || now == old {
				t.Errorf("%q: the old key stands: %v", id, old.Stands())
			}
		})
	}
}

func TestTokenWithoutKeyID(t *testing.T) {
	a, b, c := jwk(p256(), "a", nil), jwk(otherP256(), "b", nil), jwk(p384(), "c", nil)
	for name, tc := range map[string]struct {
		keys []byte
		want authn.Reason
	}{
		"one key":                 {jwks(a), ""},
		"one that fits":           {jwks(a, c), ""},
		"the same one twice":      {jwks(a, a), ""},
		"two that fit":            {jwks(a, b), authn.UnknownKey},
		"none that fits":          {jwks(c), authn.UnknownKey},
		"one material, two names": {jwks(a, jwk(p256(), "z", nil)), authn.UnknownKey},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := start(t, &publisher{keys: tc.keys}, usual)
			synctest.Wait()
			want(t, name, s.has(t, ""), tc.want)
		})
	}
}

func TestKeyMustFit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, &publisher{keys: jwks(jwk(p256(), "a", nil))}, usual)
		synctest.Wait()
		for _, alg := range []string{"ES384", "RS256", "PS256", "HS256", "none", ""} {
			_, err := s.find(t.Context(), "a", alg)
			want(t, alg, err, authn.UnknownKey)
		}
	})
}

func TestObserve(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &publisher{err: errDown}
		var seen []error
		s := NewKeySet("i", p.fetch, usual, zap.NewNop(), func(err error) { seen = append(seen, err) })
		<-s.due()
		p.publish(jwk(p256(), "a", nil))
		time.Sleep(minRetry)
		<-s.due()
		if len(seen) != 2 || !errors.Is(seen[0], errDown) || seen[1] != nil {
			t.Errorf("observed %v", seen)
		}
	})
}

// A stranger's key id may have caused the fetch that the timer was set for.
func TestNothingIsDueTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &publisher{keys: jwks(jwk(p256(), "a", nil))}
		s := NewKeySet("i", p.fetch, usual, zap.NewNop(), nil)
		<-s.due()
		<-s.due()
		if n := len(p.fetches()); n != 1 {
			t.Errorf("%d fetches", n)
		}
	})
}

func TestRunEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &publisher{source: hang}
		s := NewKeySet("i", p.fetch, usual, zap.NewNop(), nil)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- s.Run(ctx) }()
		synctest.Wait()
		begin := time.Now()
		cancel()
		if err := <-done; err != nil || time.Since(begin) != 0 {
			t.Errorf("%v after %v", err, time.Since(begin))
		}
		time.Sleep(fetchTimeout) // the fetch under way has its own bound
	})
}

// Whose fault it is that keys cannot be fetched decides the reason.
func TestWhoseFailure(t *testing.T) {
	for name, tc := range map[string]struct {
		err  error
		want authn.Reason
	}{
		"the issuer is away":               {errDown, authn.KeysUnavailable},
		"the API server refuses our token": {explain(&StatusError{host + clusterKeys, 401}), authn.OwnToken},
		"our rights":                       {explain(&StatusError{host + clusterKeys, 403}), authn.KeysUnavailable},
		"another issuer wants a token":     {&StatusError{"https://login.example/keys", 401}, authn.KeysUnavailable},
		"we have no token":                 {fmt.Errorf("get: %w", authn.Unavailable(authn.OwnToken, "none")), authn.OwnToken},
	} {
		synctest.Test(t, func(t *testing.T) {
			p := &publisher{}
			p.fail(tc.err)
			s := start(t, p, usual)
			synctest.Wait() // the first fetch is over
			want(t, name+", before the first keys", s.has(t, "a"), tc.want)
			p.publish(jwk(p256(), "a", nil))
			time.Sleep(time.Minute)
			want(t, name+", a known key", s.has(t, "a"), "")
			p.fail(tc.err)
			want(t, name+", an unknown key", s.has(t, "b"), tc.want)
		})
	}
}
