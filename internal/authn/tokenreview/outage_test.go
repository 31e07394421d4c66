package tokenreview

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"sallyport/internal/authn"
)

// away makes a bench whose API server is away since a moment.
func away(t *testing.T, a answer, change ...func(*Options)) *bench {
	b := newBench(t, a, change...)
	if _, err := b.Authenticate(t.Context(), theToken); !errors.Is(err, authn.ErrUnavailable) {
		t.Fatalf("err = %v", err)
	}
	return b
}

func TestOthersDoNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := away(t, hang)
		calls := len(b.server.seen())
		for range 100 {
			start := time.Now()
			_, err := b.Authenticate(t.Context(), theToken)
			var e *authn.Error
			if !errors.As(err, &e) || e.Kind != authn.ErrUnavailable || e.RetryAfter <= 0 || e.RetryAfter > 30*time.Second {
				t.Fatalf("err = %#v", err)
			}
			if took := time.Since(start); took != 0 {
				t.Fatalf("waited %v", took)
			}
		}
		if n := len(b.server.seen()); n != calls || len(b.new.addrs) != 1 {
			t.Errorf("%d calls and %d places taken while away, want none", n-calls, len(b.new.addrs)-1)
		}
	})
}

// From 2 s on it is known that the API server hangs, though the call is not over.
func TestHangIsNoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, hang)
		go b.Authenticate(t.Context(), theToken)
		time.Sleep(notice - time.Millisecond)
		synctest.Wait()
		if b.Err() != nil {
			t.Errorf("away after %v: %v", notice-time.Millisecond, b.Err())
		}
		time.Sleep(time.Millisecond)
		synctest.Wait()
		if b.Err() == nil || !strings.Contains(b.Err().Error(), "no answer within 2s") {
			t.Errorf("after %v: Err() = %v", notice, b.Err())
		}
		start := time.Now()
		if _, err := b.Authenticate(t.Context(), theToken); !errors.Is(err, authn.ErrUnavailable) || time.Since(start) > 0 {
			t.Errorf("the next: %v after %v", err, time.Since(start))
		}
		time.Sleep(2 * reviewTimeout) // the first is over
	})
}

// A slow answer is one: what was taken for an outage is over.
func TestSlowAnswerEndsOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, after(2500*time.Millisecond, yes))
		if _, err := b.Authenticate(t.Context(), theToken); err != nil || b.Err() != nil {
			t.Errorf("err = %v, Err() = %v", err, b.Err())
		}
	})
}

// Those who stand in the queue when the API server goes away do not find out one
// by one.
func TestQueueIsToldOfOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, hang)
		b.new.wait = make(chan struct{})
		var queue sync.WaitGroup
		for range 50 {
			queue.Go(func() {
				if _, err := b.Authenticate(t.Context(), theToken); !errors.Is(err, authn.ErrUnavailable) {
					t.Errorf("err = %v", err)
				}
			})
		}
		b.Authenticate(authn.WithCaller(t.Context(), authn.Caller{Known: true}), theToken)
		calls := len(b.server.seen())
		close(b.new.wait)
		start := time.Now()
		queue.Wait()
		if n := len(b.server.seen()) - calls; n != 0 || time.Since(start) != 0 {
			t.Errorf("%d calls and %v by those in the queue, want none", n, time.Since(start))
		}
		if b.new.released != 50 {
			t.Errorf("%d of 50 places given back", b.new.released)
		}
	})
}

func TestProbes(t *testing.T) {
	for name, a := range map[string]answer{"refused": fails(errors.New("refused")), "500": text(500, ""), "hang": hang, "403": text(403, "")} {
		synctest.Test(t, func(t *testing.T) {
			b := away(t, a)
			b.run(t)
			calls := len(b.server.seen())
			began := time.Now()
			time.Sleep(10 * time.Minute)
			probes := b.server.seen()[calls:]
			last := began
			for i, p := range probes {
				gap := p.at.Sub(last)
				least, most := minProbe, maxProbe+reviewTimeout
				switch {
				case i == 0 && name == "hang":
					least = 0 // our own token at once: it may be the caller's that hangs
				case i > 4:
					least = 4 * time.Second
				}
				if gap < least || gap > most {
					t.Errorf("%s: probe %d came %v after the one before", name, i, gap)
				}
				last = p.at
			}
			if probes[0].at.Sub(began) > 2*minProbe {
				t.Errorf("%s: the first probe came after %v", name, probes[0].at.Sub(began))
			}
			if len(probes) < 60 || b.server.most != 1 {
				t.Errorf("%s: %d probes, %d at a time", name, len(probes), b.server.most)
			}
		})
	}
}

// Whatever the length of the outage, and wherever in the probes' rhythm it ends.
func TestRecovery(t *testing.T) {
	for name, a := range map[string]answer{"refused": fails(errors.New("refused")), "hang": hang, "throttled": text(429, "", "Retry-After", "3600")} {
		for outage := range 40 {
			synctest.Test(t, func(t *testing.T) {
				b := away(t, a)
				b.run(t)
				time.Sleep(time.Duration(outage) * 730 * time.Millisecond)
				b.server.set(yes)
				start := time.Now()
				for b.Err() != nil && time.Since(start) < time.Minute {
					time.Sleep(100 * time.Millisecond)
				}
				if took := time.Since(start); took > 10*time.Second {
					t.Errorf("%s: back after %v", name, took)
				}
				if _, err := b.Authenticate(t.Context(), theToken); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			})
		}
	}
}

// A no is an answer as well.
func TestNoEndsOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := away(t, fails(errors.New("refused")))
		b.run(t)
		b.server.set(no)
		time.Sleep(maxProbe)
		if b.Err() != nil {
			t.Errorf("Err() = %v", b.Err())
		}
	})
}

func TestProbesTakeTurns(t *testing.T) {
	none := func(o *Options) { o.OwnToken = nil }
	unreadable := func(o *Options) { o.OwnToken = func() (string, error) { return "", errors.New("no file") } }
	for name, tc := range map[string]struct {
		waiting bool // somebody was turned away
		change  func(*Options)
		own     int // of the first four probes
		callers int
	}{
		"nobody waits":               {false, func(*Options) {}, 4, 0},
		"somebody waits":             {true, func(*Options) {}, 2, 2},
		"somebody waits, no token":   {true, none, 0, 4},
		"somebody waits, unreadable": {true, unreadable, 0, 4},
		"nobody waits, no token":     {false, none, 0, 0},
		"nobody waits, unreadable":   {false, unreadable, 0, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			b := away(t, fails(errors.New("refused")), tc.change)
			calls := len(b.server.seen())
			if tc.waiting {
				b.Authenticate(t.Context(), theToken)
			}
			b.run(t)
			time.Sleep(14 * time.Second) // 1, 2, 4, 4 s and a quarter more at most: 13.75 s
			n := map[string]int{}
			for i, c := range b.server.seen()[calls:] {
				if i < 4 {
					n[c.token]++
				}
			}
			if n[ownToken] != tc.own || n[theToken] != tc.callers {
				t.Errorf("%s: %d probes with our own token and %d with the caller's, want %d and %d", name, n[ownToken], n[theToken], tc.own, tc.callers)
			}
		})
	}
}

// A token that the API server chokes on keeps nobody else away for long.
func TestPoisonedToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, yes)
		b.server.set(func(r *http.Request) (*http.Response, error) {
			if calls := b.server.seen(); calls[len(calls)-1].token == theToken {
				return nil, errors.New("cut")
			}
			return yes(r)
		})
		b.run(t)
		b.Authenticate(t.Context(), theToken)
		b.Authenticate(t.Context(), theToken) // turned away, so it is what a probe tries first
		time.Sleep(10 * time.Second)
		if b.Err() != nil {
			t.Errorf("still away: %v", b.Err())
		}
	})
}

func TestSecondOutageIsProbedToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := away(t, fails(errors.New("refused")))
		b.run(t)
		for range 3 {
			b.server.set(yes)
			time.Sleep(10 * time.Second)
			if b.Err() != nil {
				t.Fatalf("Err() = %v", b.Err())
			}
			calls := len(b.server.seen())
			time.Sleep(time.Minute)
			if n := len(b.server.seen()) - calls; n != 0 {
				t.Fatalf("%d probes of an API server that is there", n)
			}
			b.server.set(fails(errors.New("refused")))
			b.Authenticate(t.Context(), theToken)
			time.Sleep(time.Minute)
		}
	})
}

func TestRunEnds(t *testing.T) {
	for name, a := range map[string]answer{"well": yes, "away": fails(errors.New("refused")), "probing": hang} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, a)
			b.Authenticate(t.Context(), theToken)
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error)
			go func() { done <- b.Run(ctx) }()
			time.Sleep(1500 * time.Millisecond)
			start := time.Now()
			cancel()
			if err := <-done; err != nil || time.Since(start) != 0 {
				t.Errorf("%s: %v after %v", name, err, time.Since(start))
			}
		})
	}
}

// An outage is two lines, however long it lasts and however many it meets.
func TestOutageLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zapcore.DebugLevel)
		b := away(t, text(500, "Bearer "+ownToken), func(o *Options) { o.Log = zap.New(core) })
		b.run(t)
		for range 20 {
			b.Authenticate(t.Context(), theToken)
			time.Sleep(time.Second)
		}
		b.server.set(yes)
		time.Sleep(10 * time.Second)
		var lines []string
		for _, e := range logs.All() {
			enc := zapcore.NewMapObjectEncoder()
			for _, f := range e.Context {
				f.AddTo(enc)
			}
			line := e.Message
			for _, v := range enc.Fields {
				if s, ok := v.(string); ok {
					line += " " + s
				}
			}
			lines = append(lines, line)
			if strings.Contains(line, "oWnSiG") {
				t.Errorf("logged: %s", line)
			}
		}
		if len(lines) != 2 || !strings.Contains(lines[0], "is away") || !strings.Contains(lines[1], "answers again") {
			t.Errorf("logged %q", lines)
		}
	})
}
