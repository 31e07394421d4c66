package oidc

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"sallyport/internal/authn"
)

const (
	former = "https://former.example"
	fresh  = "https://fresh.example"
)

// A discoverer is an API server's discovery document as a test wants it.
type discoverer struct {
	mu     sync.Mutex
	names  *Names
	issuer string
	err    error
	takes  time.Duration
	at     []time.Time
}

func (d *discoverer) read(ctx context.Context) error {
	d.mu.Lock()
	d.at = append(d.at, time.Now())
	takes := d.takes
	d.mu.Unlock()
	select {
	case <-time.After(takes):
	case <-ctx.Done():
		return ctx.Err()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err == nil {
		d.names.Learn(d.issuer)
	}
	return d.err
}

func (d *discoverer) set(issuer string, err error, takes time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.issuer, d.err, d.takes = issuer, err, takes
}

func (d *discoverer) reads() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.at)
}

// learner returns a Learner that knows the former issuer, which is what the
// document names.
func learner() (*Learner, *discoverer) {
	d := &discoverer{names: NewNames(former), issuer: former}
	return NewLearner(d.names, d.read, usual.Cooldown, zap.NewNop()), d
}

func stranger(i int) string { return fmt.Sprintf("https://stranger-%d.example", i) }

func TestWaitingForTheDocumentLeavesThePlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, _ := learner()
		for _, tc := range []struct {
			issuer string
			left   bool
		}{{former, false}, {stranger(1), true}, {stranger(2), false}} { // the last one within the cool-down
			ctx, left := placed(t)
			l.Find(ctx, tc.issuer)
			if *left != tc.left {
				t.Errorf("%s: left = %v", tc.issuer, *left)
			}
		}
	})
}

func TestNewIssuer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, d := learner()
		want(t, "known", l.Find(t.Context(), former), "")
		if d.reads() != 0 {
			t.Error("a known issuer caused a reading")
		}
		d.set(fresh, nil, time.Second)
		want(t, "at once", l.Find(t.Context(), fresh), "")
		want(t, "the former", l.Find(t.Context(), former), "")
		err := l.Find(t.Context(), stranger(1))
		want(t, "a stranger, inside the cool-down", err, authn.Issuer)
		if d.reads() != 1 || authn.ReasonOf(err).Remembered() {
			t.Errorf("%d readings, remembered: %v", d.reads(), authn.ReasonOf(err).Remembered())
		}
		d.set("https://next.example", nil, 0)
		want(t, "inside the cool-down", l.Find(t.Context(), "https://next.example"), authn.Issuer)
		time.Sleep(usual.Cooldown)
		want(t, "after it", l.Find(t.Context(), "https://next.example"), "")
	})
}

func TestUnknownIssuerFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, d := learner()
		at := time.Now()
		for i := range 10_000 {
			want(t, "stranger", l.Find(t.Context(), stranger(i)), authn.Issuer)
			want(t, "known", l.Find(t.Context(), former), "")
			time.Sleep(3 * time.Millisecond)
		}
		if most := int(time.Since(at)/usual.Cooldown) + 1; d.reads() == 0 || d.reads() > most {
			t.Errorf("%d readings in %v, want 1 to %d", d.reads(), time.Since(at), most)
		}
		if n := len(d.names.All()); n != 1 {
			t.Errorf("%d issuers are known: strangers were learnt", n)
		}
	})
}

func TestUnknownIssuersTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, d := learner()
		d.set(fresh, nil, time.Second)
		at := time.Now()
		var all sync.WaitGroup
		for i := range maxAsking / 2 {
			all.Go(func() { want(t, "stranger", l.Find(t.Context(), stranger(i)), authn.Issuer) })
			all.Go(func() { want(t, "new", l.Find(t.Context(), fresh), "") })
		}
		synctest.Wait()
		err := l.Find(t.Context(), stranger(0))
		if !errors.Is(err, authn.ErrUnavailable) || authn.ReasonOf(err) != authn.Overload || time.Since(at) != 0 {
			t.Errorf("one too many: %v after %v", err, time.Since(at))
		}
		all.Wait()
		if d.reads() != 1 || time.Since(at) != time.Second || l.waiting != 0 {
			t.Errorf("%d readings in %v, want one in its second; %d still waiting", d.reads(), time.Since(at), l.waiting)
		}
	})
}

// In an outage one waits and nobody else, whoever asks; there are no more
// readings than the pauses allow, and fewer as time goes on.
func TestIssuerOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, d := learner()
		d.set(fresh, nil, time.Hour)
		at := time.Now()
		want(t, "the first", l.Find(t.Context(), fresh), authn.KeysUnavailable)
		if time.Since(at) != fetchTimeout {
			t.Errorf("it waited %v, want %v", time.Since(at), fetchTimeout)
		}
		for range 5 * 60 * 10 {
			go l.Find(t.Context(), stranger(1))
			synctest.Wait()
			if l.waiting > 1 {
				t.Fatalf("%d wait", l.waiting)
			}
			begin := time.Now()
			want(t, "in the outage", l.Find(t.Context(), fresh), authn.KeysUnavailable)
			want(t, "known", l.Find(t.Context(), former), "")
			if time.Since(begin) != 0 {
				t.Fatalf("waited %v", time.Since(begin))
			}
			time.Sleep(100 * time.Millisecond)
		}
		if d.reads() < 20 || d.reads() > 40 {
			t.Errorf("%d readings in 5 minutes", d.reads())
		}
		d.set(fresh, nil, 0)
		for at = time.Now(); l.Find(t.Context(), fresh) != nil && time.Since(at) < time.Minute; {
			time.Sleep(100 * time.Millisecond)
		}
		if took := time.Since(at); took > usual.Cooldown+fetchTimeout {
			t.Errorf("back after %v", took)
		}
		time.Sleep(usual.Cooldown)
		want(t, "a stranger", l.Find(t.Context(), stranger(1)), authn.Issuer)
	})
}

func TestIssuerOutageSaysWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, d := learner()
		d.set("", &StatusError{host + wellKnown, 403}, 0)
		err := l.Find(t.Context(), strings.Repeat("x", 10_000))
		want(t, "forbidden", err, authn.KeysUnavailable)
		if text := err.Error(); !strings.Contains(text, "system:service-account-issuer-discovery") || len(text) > 1000 {
			t.Errorf("%.2000s", text)
		}
	})
}

func TestLeavingIsNotAnAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, d := learner()
		d.set(fresh, nil, time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		go func() { // the first one leaves, and cancels nobody
			if err := l.Find(ctx, fresh); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("one who leaves: %v", err)
			}
		}()
		synctest.Wait()
		want(t, "the second", l.Find(t.Context(), fresh), "")
	})
}

// Only a token that is good in all that can be seen causes a reading.
func TestUnknownIssuerIsAskedAboutLast(t *testing.T) {
	asked := 0
	r := clusterRules()
	r.Unknown = func(_ context.Context, iss string) error { asked++; return authn.Refuse(authn.Issuer, "%s", iss) }
	ask := func(change map[string]any) error {
		_, err := r.Claimed(t.Context(), es256(nil, serviceAccountClaims(change)))
		return err
	}
	for _, change := range []map[string]any{{"aud": "x"}, {"aud": []string{ours, "https://api.example"}}, {"exp": 1}, {"nbf": time.Now().Unix() + 100}, {"sub": "x"}, {"kubernetes.io": nil}} {
		change["iss"] = fresh
		want(t, fmt.Sprint(change), ask(change), authn.Issuer)
	}
	if asked != 0 {
		t.Errorf("asked %d times about tokens that cannot succeed", asked)
	}
	want(t, "a good one", ask(map[string]any{"iss": fresh}), authn.Issuer)
	want(t, "a known issuer", ask(nil), "")
	if asked != 1 {
		t.Errorf("asked %d times, want once", asked)
	}
	r.APIAudiencesKnown = func() error { return authn.Unavailable(authn.KeysUnavailable, "x") }
	want(t, "nobody can see", ask(map[string]any{"iss": fresh, "aud": []string{ours, "x"}}), authn.KeysUnavailable)
}

// That the issuer is accepted after all proves nothing yet.
func TestNewIssuerNeedsASignature(t *testing.T) {
	r := clusterRules()
	r.Unknown = func(context.Context, string) error { return nil }
	v := NewVerifier(r, clusterKeySet(t))
	good, forged := serviceAccountClaims(map[string]any{"iss": fresh}), map[string]any{"kid": "p256"}
	_, err := v.Authenticate(t.Context(), sign("ES256", otherP256(), forged, good))
	want(t, "forged", err, authn.Signature)
	id, err := v.Authenticate(t.Context(), es256(nil, good))
	if want(t, "good", err, ""); id.Subject != "system:serviceaccount:ns:app" {
		t.Errorf("%+v", id)
	}
}
