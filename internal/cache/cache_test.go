package cache

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sallyport/internal/authn"
)

// A script is an Authenticator that does what a test tells it to.
type script struct {
	calls atomic.Int64
	hang  atomic.Bool
	delay time.Duration

	mu sync.Mutex
	id authn.Identity
	e  error
	// known is what each call was told of its caller.
	known []bool
}

func (s *script) say(id authn.Identity, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.id, s.e = id, err
}

func (s *script) Authenticate(ctx context.Context, _ string) (authn.Identity, error) {
	s.calls.Add(1)
	if s.hang.Load() {
		<-ctx.Done()
		return authn.Identity{}, ctx.Err()
	}
	select {
	case <-time.After(s.delay):
	case <-ctx.Done():
		return authn.Identity{}, ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known = append(s.known, authn.CallerOf(ctx).Known)
	return s.id, s.e
}

func confirmed() authn.Identity {
	return authn.Identity{Subject: "s", Expires: time.Now().Add(time.Hour), Standing: authn.Confirmed}
}

func local() authn.Identity {
	return authn.Identity{Subject: "s", Expires: time.Now().Add(time.Hour), Proof: &authn.Proof{}}
}

const (
	recheck  = 30 * time.Second
	maxStale = 10 * time.Minute
)

// bubble runs f with a cache in front of a script that says yes.
func bubble(t *testing.T, o Options, f func(t *testing.T, c *Cache, next *script)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		if o.Recheck == 0 {
			o.Recheck = recheck
		}
		next := &script{}
		next.say(confirmed(), nil)
		c, err := New(next, o)
		if err != nil {
			t.Fatal(err)
		}
		f(t, c, next)
		time.Sleep(2 * decisionTimeout) // lets what is under way come to its end
	})
}

// want asks about a token and checks the answer, and how long it took.
func want(t *testing.T, c *Cache, token string, wanted error, took time.Duration) {
	t.Helper()
	start := time.Now()
	id, err := c.Authenticate(t.Context(), token)
	if !errors.Is(err, wanted) || (err == nil) != (id.Subject != "") {
		t.Errorf("%v, %v: want %v", id.Subject, err, wanted)
	}
	if d := time.Since(start); d != took {
		t.Errorf("it took %v, want %v", d, took)
	}
}

func wantCalls(t *testing.T, next *script, n int64) {
	t.Helper()
	synctest.Wait()
	if got := next.calls.Load(); got != n {
		t.Errorf("%d calls, want %d", got, n)
	}
}

var unavailable = authn.Unavailable(authn.ReviewFailed, "down")

func TestRemembersYes(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, c *Cache, next *script) {
		for range 100 {
			want(t, c, "t", nil, 0)
		}
		wantCalls(t, next, 1)
		want(t, c, "other", nil, 0)
		wantCalls(t, next, 2)
		if c.Len() != 2 {
			t.Errorf("%d tokens remembered, want 2", c.Len())
		}
	})
}

func TestRefusals(t *testing.T) {
	for _, tc := range []struct {
		name  string
		err   error
		calls int64 // in 6 s, one request a second
	}{
		{"refused: remembered for 5 s", authn.Refuse(authn.Signature, ""), 2},
		{"unknown key: it may be published any moment", authn.Refuse(authn.UnknownKey, ""), 6},
		{"not valid yet: it may become so", authn.Refuse(authn.NotYetValid, ""), 6},
		{"outage: never", unavailable, 6},
		{"bug: never", errors.New("?"), 6},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, Options{}, func(t *testing.T, c *Cache, next *script) {
				next.say(authn.Identity{}, tc.err)
				for range 6 {
					want(t, c, "t", tc.err, 0)
					time.Sleep(time.Second)
				}
				wantCalls(t, next, tc.calls)
			})
		})
	}
}

func TestRechecksInTheLastFifth(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, c *Cache, next *script) {
		want(t, c, "t", nil, 0)
		next.delay = time.Second // but nobody waits for it
		for range 10 * 60 {
			time.Sleep(time.Second)
			want(t, c, "t", nil, 0)
		}
		// Between every 19 s (24 less 20 %) and every 31 s.
		if n := next.calls.Load(); n < 19 || n > 32 {
			t.Errorf("%d reviews in 10 minutes", n)
		}
	})
}

// However many tokens come at once, when a fleet starts or when the API server is
// back, the load of their rechecks is even from then on.
func TestRechecksComeOneByOne(t *testing.T) {
	const tokens = 1000
	bubble(t, Options{MaxStale: maxStale}, func(t *testing.T, c *Cache, next *script) {
		second := func() int64 {
			before := next.calls.Load()
			for i := range tokens {
				want(t, c, fmt.Sprint(i), nil, 0)
			}
			time.Sleep(time.Second)
			return next.calls.Load() - before
		}
		even := func(after string) {
			t.Helper()
			if n := second(); n != tokens {
				t.Errorf("%s %d reviews, want one of each token", after, n)
			}
			// One in 19.2 to 24 s for each token, so 46 a second.
			sum := int64(0)
			for i := range 60 {
				n := second()
				sum += n
				if n > 100 {
					t.Errorf("%s, after %d s: %d reviews in a second", after, i+1, n)
				}
			}
			if sum < 2*tokens {
				t.Errorf("%s: %d reviews in a minute", after, sum)
			}
		}
		even("at the start")
		next.say(authn.Identity{}, unavailable)
		time.Sleep(time.Minute)
		next.say(confirmed(), nil)
		even("after an outage")
	})
}

func TestNobodyAsksNobodyRechecks(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, c *Cache, next *script) {
		want(t, c, "t", nil, 0)
		time.Sleep(30 * time.Minute)
		wantCalls(t, next, 1)
	})
}

func TestOverdueWaitsForTheAnswer(t *testing.T) {
	bubble(t, Options{MaxStale: maxStale}, func(t *testing.T, c *Cache, next *script) {
		want(t, c, "t", nil, 0)
		time.Sleep(time.Minute)
		next.delay = time.Second
		next.say(authn.Identity{}, authn.Refuse(authn.Revoked, ""))
		want(t, c, "t", authn.ErrUnauthenticated, time.Second)
		if c.Len() != 0 {
			t.Error("a revoked token is still remembered")
		}
		want(t, c, "t", authn.ErrUnauthenticated, 0)
		wantCalls(t, next, 2)
	})
}

func TestRevokedInTheBackground(t *testing.T) {
	bubble(t, Options{MaxStale: maxStale}, func(t *testing.T, c *Cache, next *script) {
		want(t, c, "t", nil, 0)
		time.Sleep(recheck * 4 / 5)
		next.say(authn.Identity{}, authn.Refuse(authn.Revoked, ""))
		c.Authenticate(t.Context(), "t")
		synctest.Wait()
		want(t, c, "t", authn.ErrUnauthenticated, 0)
	})
}

// The first to notice a hang waits 2 s, those who come meanwhile for what is
// left of them, and the others not at all.
func TestHang(t *testing.T) {
	bubble(t, Options{MaxStale: maxStale}, func(t *testing.T, c *Cache, next *script) {
		want(t, c, "t", nil, 0)
		time.Sleep(time.Minute)
		next.hang.Store(true)
		go func() {
			time.Sleep(500 * time.Millisecond)
			want(t, c, "t", nil, 1500*time.Millisecond)
		}()
		want(t, c, "t", nil, 2*time.Second)
		synctest.Wait()
		for range 5 {
			time.Sleep(time.Second)
			want(t, c, "t", nil, 0)
		}
		wantCalls(t, next, 2)
		time.Sleep(decisionTimeout)
		next.hang.Store(false)
		want(t, c, "t", nil, 0)
		wantCalls(t, next, 3)
	})
}

func TestMaxStale(t *testing.T) {
	for _, tc := range []struct {
		name     string
		maxStale time.Duration
		expires  time.Duration
		served   time.Duration // since the last confirmation
		then     error
	}{
		{"served for max-stale", maxStale, time.Hour, maxStale, authn.ErrUnavailable},
		{"but never past its end", maxStale, 5 * time.Minute, 5 * time.Minute, authn.ErrUnavailable},
		{"not served at all", 0, time.Hour, recheck - recheck/5, authn.ErrUnavailable},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, Options{MaxStale: tc.maxStale}, func(t *testing.T, c *Cache, next *script) {
				id := confirmed()
				id.Expires = time.Now().Add(tc.expires)
				next.say(id, nil)
				want(t, c, "t", nil, 0)
				next.say(authn.Identity{}, unavailable)
				time.Sleep(tc.served - time.Second)
				want(t, c, "t", nil, 0)
				want(t, c, "new", authn.ErrUnavailable, 0)
				time.Sleep(time.Second + recheck/5)
				want(t, c, "t", tc.then, 0)
				next.say(confirmed(), nil)
				want(t, c, "t", nil, 0)
			})
		})
	}
}

// What ends while a recheck is waited for is not served for the outage's sake.
func TestEndsDuringTheWait(t *testing.T) {
	for name, end := range map[string]func(*authn.Identity){
		"expires":   func(id *authn.Identity) { id.Expires = time.Now().Add(time.Minute + time.Second) },
		"withdrawn": func(id *authn.Identity) { time.AfterFunc(time.Minute+time.Second, id.Proof.Withdraw) },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, Options{MaxStale: maxStale}, func(t *testing.T, c *Cache, next *script) {
				id := confirmed()
				id.Proof = &authn.Proof{}
				end(&id)
				next.say(id, nil)
				want(t, c, "t", nil, 0)
				time.Sleep(time.Minute)
				next.hang.Store(true)
				want(t, c, "t", authn.ErrUnavailable, recheckWait)
			})
		})
	}
}

// A mark that was left behind keeps nobody from asking again.
func TestMarkLeftBehind(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, c *Cache, next *script) {
		want(t, c, "t", nil, 0)
		c.proven.get(c.hash.key("t")).recheck.Store(time.Now().UnixNano())
		time.Sleep(time.Minute)
		next.delay = time.Second
		want(t, c, "t", nil, time.Second)
	})
}

func TestSaysWhoIsKnown(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, c *Cache, next *script) {
		want(t, c, "t", nil, 0)
		time.Sleep(recheck)
		want(t, c, "t", nil, 0)
		if fmt.Sprint(next.known) != "[false true]" {
			t.Errorf("known = %v: want a first decision, and a recheck", next.known)
		}
	})
}

// Who knows that a token was good keeps its place after a no, when the cache has
// forgotten the token, and in front of unproven lookups that hang.
func TestCallerKnows(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, c *Cache, next *script) {
		ctx := authn.WithCaller(t.Context(), authn.Caller{Known: true})
		next.hang.Store(true)
		for i := range maxLookups {
			go c.Authenticate(t.Context(), fmt.Sprint("slow", i))
		}
		synctest.Wait()
		next.hang.Store(false)
		next.say(confirmed(), nil)
		if _, err := c.Authenticate(ctx, "t"); err != nil || fmt.Sprint(next.known) != "[true]" {
			t.Errorf("%v; known = %v", err, next.known)
		}
		time.Sleep(decisionTimeout)
	})
}

func TestLocal(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, c *Cache, next *script) {
		id := local()
		next.say(id, nil)
		want(t, c, "t", nil, 0)
		time.Sleep(time.Hour - 1)
		want(t, c, "t", nil, 0)
		wantCalls(t, next, 1)
		time.Sleep(time.Nanosecond)
		next.say(authn.Identity{}, authn.Refuse(authn.Expired, ""))
		want(t, c, "t", authn.ErrUnauthenticated, 0)
	})
}

func TestWithdrawnKey(t *testing.T) {
	bubble(t, Options{MaxStale: maxStale}, func(t *testing.T, c *Cache, next *script) {
		id := local()
		next.say(id, nil)
		want(t, c, "t", nil, 0)
		id.Proof.Withdraw()
		next.say(authn.Identity{}, unavailable)
		want(t, c, "t", authn.ErrUnavailable, 0) // max-stale does not bring it back
		next.say(authn.Identity{}, authn.Refuse(authn.UnknownKey, ""))
		want(t, c, "t", authn.ErrUnauthenticated, 0)
	})
}

func TestUnconfirmedIsNotRemembered(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, c *Cache, next *script) {
		id := local()
		id.Standing = authn.Unconfirmed
		next.say(id, nil)
		want(t, c, "t", nil, 0)
		want(t, c, "t", nil, 0)
		wantCalls(t, next, 2)
	})
}

func TestSingleFlight(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, c *Cache, next *script) {
		next.delay = time.Second
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() { want(t, c, "t", nil, time.Second) })
		}
		wg.Wait()
		wantCalls(t, next, 1)
	})
}

func TestCallerLeaves(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, c *Cache, next *script) {
		next.delay = time.Second
		ctx, leave := context.WithCancel(t.Context())
		go func() {
			if _, err := c.Authenticate(ctx, "t"); !errors.Is(err, context.Canceled) {
				t.Errorf("err = %v, want that of the context", err)
			}
		}()
		synctest.Wait()
		leave()
		want(t, c, "t", nil, time.Second) // it joined the first one's, which went on
		wantCalls(t, next, 1)
	})
}

func TestDecisionIsBounded(t *testing.T) {
	bubble(t, Options{}, func(t *testing.T, c *Cache, next *script) {
		next.hang.Store(true)
		want(t, c, "t", authn.ErrUnavailable, decisionTimeout)
	})
}

func TestImpossibleAnswers(t *testing.T) {
	for name, id := range map[string]authn.Identity{
		"nobody":  {Expires: time.Now().Add(1e6 * time.Hour)},
		"expired": {Subject: "s"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, Options{}, func(t *testing.T, c *Cache, next *script) {
				next.say(id, nil)
				if _, err := c.Authenticate(t.Context(), "t"); err == nil || authn.ReasonOf(err) != authn.Internal {
					t.Errorf("err = %v, want an internal one", err)
				}
			})
		})
	}
}

func TestPanic(t *testing.T) {
	c, err := New(authn.Func(func(context.Context, string) (authn.Identity, error) { panic("oops") }), Options{Recheck: recheck})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Authenticate(t.Context(), "t"); err == nil || !strings.Contains(err.Error(), "oops") {
		t.Errorf("err = %v, want the panic as an error", err)
	}
}

func TestUnprovenCannotEvict(t *testing.T) {
	bubble(t, Options{MaxEntries: 4}, func(t *testing.T, c *Cache, next *script) {
		want(t, c, "good", nil, 0)
		next.say(authn.Identity{}, authn.Refuse(authn.Signature, ""))
		for i := range 3 * maxRefused {
			c.Authenticate(t.Context(), fmt.Sprint("bad", i))
		}
		calls := next.calls.Load()
		want(t, c, "good", nil, 0)
		wantCalls(t, next, calls)
		if n := c.refused.lru.Len(); n != maxRefused {
			t.Errorf("%d refusals remembered, want %d", n, maxRefused)
		}
	})
}

// Unproven lookups that hang take up their own places, and a known token's
// recheck needs none of them.
func TestUnprovenCannotDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, err := New(authn.Func(func(ctx context.Context, token string) (authn.Identity, error) {
			if token != "good" {
				<-ctx.Done()
				return authn.Identity{}, ctx.Err()
			}
			return confirmed(), nil
		}), Options{Recheck: recheck})
		if err != nil {
			t.Fatal(err)
		}
		want(t, c, "good", nil, 0)
		time.Sleep(recheck)
		for i := range maxLookups {
			go c.Authenticate(t.Context(), fmt.Sprint("slow", i))
		}
		synctest.Wait()
		want(t, c, "one too many", authn.ErrUnavailable, 0)
		want(t, c, "good", nil, 0)
		time.Sleep(decisionTimeout)
	})
}

func TestBoundedBytes(t *testing.T) {
	id := local()
	id.Groups = []string{strings.Repeat("g", 10_000)}
	next := &script{}
	next.say(id, nil)
	c, err := New(next, Options{Recheck: recheck, MaxBytes: 100_000})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 1000 {
		c.Authenticate(t.Context(), fmt.Sprint(i%50))
	}
	if n := c.Len(); n != 9 {
		t.Errorf("%d entries of 10 kB remembered within 100 kB", n)
	}
	if c.proven.bytes > 100_000 || c.proven.bytes < 90_000 {
		t.Errorf("%d bytes counted", c.proven.bytes)
	}
	for range 100 { // as each recheck does
		c.proven.add(key{}, newEntry(id, recheck, nil))
	}
	if n := c.Len(); n != 9 {
		t.Errorf("%d entries after one was replaced 100 times", n)
	}
}

// A known caller who comes while a recheck ends must not wait as if it were new.
func TestReplacedIsNeverMissing(t *testing.T) {
	p := newProven(10, 1<<20)
	k := key{1}
	p.add(k, newEntry(confirmed(), recheck, nil))
	var done sync.WaitGroup
	done.Go(func() {
		for range 20_000 {
			p.add(k, newEntry(confirmed(), recheck, nil))
		}
	})
	for range 20_000 {
		if p.get(k) == nil {
			t.Error("the entry was missing")
			break
		}
	}
	done.Wait()
	if got, want := p.bytes, p.get(k).bytes(); got != want {
		t.Errorf("%d bytes counted, want one entry's %d", got, want)
	}
}

// Who finds an entry that no longer counts may be late: there may be a new one.
func TestDropsWhatItSaw(t *testing.T) {
	p := newProven(10, 1<<20)
	k, before, after := key{1}, newEntry(confirmed(), recheck, nil), newEntry(confirmed(), recheck, nil)
	p.add(k, before)
	p.add(k, after)
	if p.drop(k, before); p.get(k) != after {
		t.Error("the new entry is gone")
	}
	if p.drop(k, after); p.get(k) != nil || p.bytes != 0 {
		t.Errorf("it is still there, with %d bytes", p.bytes)
	}
}

func TestDecided(t *testing.T) {
	type line struct {
		reason authn.Reason
		source Source
	}
	var got []line
	bubble(t, Options{Decided: func(_ context.Context, r authn.Reason, _ error, s Source, _ time.Duration) {
		got = append(got, line{r, s})
	}},
		func(t *testing.T, c *Cache, next *script) {
			c.Authenticate(t.Context(), "a")
			c.Authenticate(t.Context(), "a")
			next.say(local(), nil)
			c.Authenticate(t.Context(), "b")
			next.say(authn.Identity{}, authn.Refuse(authn.Revoked, ""))
			c.Authenticate(t.Context(), "c")
			c.Authenticate(t.Context(), "c")
			next.say(authn.Identity{}, authn.Refuse(authn.Expired, ""))
			c.Authenticate(t.Context(), "d")
		})
	wanted := []line{
		{authn.OK, FromAPIServer}, {authn.OK, FromCache}, {authn.OK, FromLocal},
		{authn.Revoked, FromAPIServer}, {authn.Revoked, FromCache}, {authn.Expired, FromLocal},
	}
	if fmt.Sprint(got) != fmt.Sprint(wanted) {
		t.Errorf("decisions %v, want %v", got, wanted)
	}
}

func TestNewRefuses(t *testing.T) {
	for _, o := range []Options{{}, {Recheck: -1}, {Recheck: 1, MaxStale: -1}} {
		if _, err := New(nil, o); err == nil {
			t.Errorf("%+v: accepted", o)
		}
	}
}

func BenchmarkHit(b *testing.B) {
	next := &script{}
	next.say(confirmed(), nil)
	c, err := New(next, Options{Recheck: time.Hour})
	if err != nil {
		b.Fatal(err)
	}
	token := strings.Repeat("t", 1062) // a real one's length
	ctx := b.Context()
	c.Authenticate(ctx, token)
	b.ReportAllocs()
	for b.Loop() {
		c.Authenticate(ctx, token)
	}
}
