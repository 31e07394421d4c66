package fairqueue

import (
	"context"
	"math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// Whatever callers do, a queue never grants more than Concurrent at a time, nor
// more than burst + rate * t within any t, and in the end nobody is left in it.
func FuzzQueue(f *testing.F) {
	f.Add(uint64(1), uint8(50), uint8(100), uint8(32))
	f.Add(uint64(2), uint8(20), uint8(1), uint8(1))
	f.Add(uint64(3), uint8(3), uint8(7), uint8(200))
	f.Add(uint64(4), uint8(255), uint8(2), uint8(3))
	f.Fuzz(func(t *testing.T, seed uint64, rate, burst, concurrent uint8) {
		l := Limits{Rate: float64(rate) + 1, Burst: int(burst) + 1, Concurrent: int(concurrent) + 1}
		synctest.Test(t, func(t *testing.T) {
			grants := play(t, New(l), rand.New(rand.NewPCG(seed, 0)))
			checkRate(t, l, grants)
		})
	})
}

// play lets 300 callers of 6 addresses come over 3 s, some of whom give up, and
// returns when each grant was given.
func play(t *testing.T, q *Queue, r *rand.Rand) (grants []time.Time) {
	var mu sync.Mutex
	var all sync.WaitGroup
	var held atomic.Int64
	for range 300 {
		addr := nth(r.IntN(6))
		comes, stays := duration(r, 3*time.Second), duration(r, 3*time.Second)
		patience := duration(r, 4*time.Second)
		all.Go(func() {
			time.Sleep(comes)
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			release, err := q.Acquire(ctx, addr)
			if err != nil {
				return
			}
			if n := held.Add(1); n > int64(q.limits.Concurrent) {
				t.Errorf("%d at a time, want at most %d", n, q.limits.Concurrent)
			}
			mu.Lock()
			grants = append(grants, time.Now())
			mu.Unlock()
			time.Sleep(stays)
			held.Add(-1)
			release()
		})
	}
	all.Wait()
	checkEmpty(t, q)
	return grants
}

func duration(r *rand.Rand, most time.Duration) time.Duration {
	return time.Duration(r.Int64N(int64(most)))
}

// checkRate looks at every stretch between two grants, which come in order.
func checkRate(t *testing.T, l Limits, grants []time.Time) {
	for i := range grants {
		for j := i; j < len(grants); j++ {
			span := grants[j].Sub(grants[i])
			if most := float64(l.Burst) + l.Rate*span.Seconds() + 1e-6; float64(j-i+1) > most {
				t.Fatalf("%d grants within %v, want at most %.1f", j-i+1, span, most)
			}
		}
	}
}

func checkEmpty(t *testing.T, q *Queue) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.held != 0 || !q.waiting.empty() || len(q.waiting.lines) != 0 || q.refill != nil {
		t.Errorf("left: %d held, %d addresses, timer %v", q.held, len(q.waiting.lines), q.refill != nil)
	}
}

// The same with true time and true parallelism, for the race detector.
func TestParallel(t *testing.T) {
	q := New(Limits{Rate: 1e6, Burst: 1000, Concurrent: 3, Wait: time.Minute, PerAddress: 100})
	var all sync.WaitGroup
	var held, granted atomic.Int64
	for i := range 60 {
		all.Go(func() {
			for range 200 {
				release, err := q.Acquire(t.Context(), nth(i%7))
				if err != nil {
					t.Errorf("Acquire: %v", err)
					return
				}
				if n := held.Add(1); n > 3 {
					t.Errorf("%d at a time, want at most 3", n)
				}
				granted.Add(1)
				held.Add(-1)
				release()
			}
		})
	}
	all.Wait()
	checkEmpty(t, q)
	if got := granted.Load(); got != 60*200 {
		t.Errorf("%d granted, want %d", got, 60*200)
	}
}

func BenchmarkAcquire(b *testing.B) {
	q := New(Limits{Rate: 1e9, Burst: 1 << 30, Concurrent: 32})
	addr := netip.MustParseAddr("2001:db8::1")
	b.ReportAllocs()
	for b.Loop() {
		release, err := q.Acquire(b.Context(), addr)
		if err != nil {
			b.Fatal(err)
		}
		release()
	}
}
