package fairqueue

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"testing"
	"testing/synctest"
	"time"
)

var (
	a = netip.MustParseAddr("10.0.0.1")
	b = netip.MustParseAddr("10.0.0.2")

	apiServer = Limits{Rate: 50, Burst: 100, Concurrent: 32}
)

// A result is what one Acquire came to, and how long it took.
type result struct {
	who  string
	err  error
	took time.Duration
}

// ask starts an Acquire that keeps what it gets, and sends what came of it.
func ask(ctx context.Context, q *Queue, who string, addr netip.Addr, to chan<- result) {
	start := time.Now()
	go func() {
		_, err := q.Acquire(ctx, addr)
		to <- result{who, err, time.Since(start)}
	}()
	synctest.Wait() // so that places are taken in the order of asking
}

// drain takes n grants that must come at once.
func drain(t *testing.T, q *Queue, n int) (releases []func()) {
	t.Helper()
	start := time.Now()
	for i := range n {
		release, err := q.Acquire(t.Context(), a)
		if err != nil || time.Since(start) != 0 {
			t.Fatalf("grant %d: err = %v after %v, want none at once", i, err, time.Since(start))
		}
		releases = append(releases, release)
	}
	return releases
}

func TestRate(t *testing.T) {
	for _, tt := range []struct {
		rate float64
		each time.Duration
	}{
		{50, 20 * time.Millisecond},
		{20, 50 * time.Millisecond},
		{1, time.Second},
		{3, 333333334}, // rounded up: never more than the rate
		{1000, time.Millisecond},
	} {
		t.Run(fmt.Sprint(tt.rate), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := New(Limits{Rate: tt.rate, Burst: 3, Concurrent: 1})
				for range 3 {
					drain(t, q, 1)[0]()
				}
				start := time.Now()
				for i := range 200 {
					release, err := q.Acquire(t.Context(), a)
					if want := time.Duration(i+1) * tt.each; err != nil || time.Since(start) != want {
						t.Fatalf("grant %d: err = %v after %v, want %v", i, err, time.Since(start), want)
					}
					release()
				}
			})
		})
	}
}

func TestBurst(t *testing.T) {
	for _, tt := range []struct {
		pause time.Duration
		want  int
	}{
		{0, 0},
		{19 * time.Millisecond, 0},
		{20 * time.Millisecond, 1},
		{time.Second, 50},
		{1999 * time.Millisecond, 99},
		{2 * time.Second, 100},
		{time.Hour, 100},
	} {
		t.Run(tt.pause.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := New(Limits{Rate: 50, Burst: 100, Concurrent: 1000})
				drain(t, q, 100)
				time.Sleep(tt.pause)
				drain(t, q, tt.want)
				start := time.Now()
				if _, err := q.Acquire(t.Context(), a); err != nil || time.Since(start) == 0 {
					t.Errorf("grant %d came after %v (err = %v), want a wait", tt.want+1, time.Since(start), err)
				}
			})
		})
	}
}

func TestConcurrent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New(apiServer)
		held := drain(t, q, 32)
		done := make(chan result, 1)
		ask(t.Context(), q, "33rd", b, done)
		select {
		case r := <-done:
			t.Fatalf("%+v, want a wait", r)
		default:
		}
		time.Sleep(700 * time.Millisecond)
		held[5]()
		if r := <-done; r.err != nil || r.took != 700*time.Millisecond {
			t.Errorf("%+v, want no error after 700ms", r)
		}
	})
}

func TestReleaseTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New(Limits{Rate: 1000, Burst: 1000, Concurrent: 2})
		held := drain(t, q, 2)
		held[0]()
		held[0]()
		drain(t, q, 1)
		if _, err := q.Acquire(t.Context(), a); !errors.Is(err, ErrFull) {
			t.Errorf("a third at a time: err = %v, want ErrFull", err)
		}
	})
}

// A flood from one address costs another one turn, whatever its length.
func TestTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New(Limits{Rate: 50, Burst: 1, Concurrent: 100})
		drain(t, q, 1)
		done := make(chan result, 100)
		for i := range 64 {
			ask(t.Context(), q, fmt.Sprintf("a%d", i), a, done)
		}
		ask(t.Context(), q, "b0", b, done)
		ask(t.Context(), q, "b1", b, done)
		for _, want := range []string{"a0", "b0", "a1", "b1", "a2", "a3", "a4"} {
			if r := <-done; r.who != want || r.err != nil {
				t.Fatalf("%+v, want %s", r, want)
			}
		}
	})
}

// The same, where a call's end and not the rate lets the next one in.
func TestTurnsAfterRelease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New(Limits{Rate: 1000, Burst: 1000, Concurrent: 2})
		held := drain(t, q, 2)
		done := make(chan result, 100)
		for i := range 64 {
			ask(t.Context(), q, fmt.Sprintf("a%d", i), a, done)
		}
		ask(t.Context(), q, "b", b, done)
		held[0]()
		if r := <-done; r.who != "a0" {
			t.Errorf("first turn: %+v, want a0", r)
		}
		held[1]()
		if r := <-done; r.who != "b" {
			t.Errorf("second turn: %+v, want b", r)
		}
	})
}

// One address alone has all of it.
func TestAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New(apiServer)
		drain(t, q, 32)
		q = New(Limits{Rate: 50, Burst: 1, Concurrent: 100})
		drain(t, q, 1)
		done := make(chan result, 50)
		start := time.Now()
		for i := range 50 {
			ask(t.Context(), q, fmt.Sprint(i), a, done)
		}
		for range 50 {
			if r := <-done; r.err != nil {
				t.Fatalf("%+v, want no error", r)
			}
		}
		if got := time.Since(start); got != time.Second {
			t.Errorf("50 grants at 50 a second took %v, want 1s", got)
		}
	})
}

// What is worth more is granted as soon, and those behind it wait for that.
func TestWorth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New(Limits{Rate: 10, Burst: 3, Concurrent: 100})
		start := time.Now()
		done := make(chan result, 5)
		for _, more := range []int{0, 0, 4, 1, 0} {
			q.Go(a, func(_ func(), err error) int {
				done <- result{fmt.Sprint(more), err, time.Since(start)}
				return more
			})
			synctest.Wait()
		}
		// Three were there.
		for _, want := range []result{{"0", nil, 0}, {"0", nil, 0}, {"4", nil, 0}, {"1", nil, 500 * time.Millisecond}, {"0", nil, 700 * time.Millisecond}} {
			if r := <-done; r != want {
				t.Errorf("%+v, want %+v", r, want)
			}
		}
	})
}

// However much ends at the same moment, the next one waits for no more than may be owed.
func TestMostOwed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New(Limits{Rate: 1000, Burst: 1000, Concurrent: 1})
		together := make(chan struct{})
		for range 1000 {
			q.Go(a, func(release func(), _ error) int {
				release() // as who waits for somebody else does
				<-together
				return 8
			})
			synctest.Wait()
		}
		close(together)
		synctest.Wait()
		start := time.Now()
		if _, err := q.Acquire(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took != (mostOwed+1)*time.Millisecond {
			t.Errorf("waited for %v", took)
		}
	})
}

func TestNobodyOvertakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New(Limits{Rate: 1, Burst: 2, Concurrent: 1})
		held := drain(t, q, 1)
		done := make(chan result, 2)
		ask(t.Context(), q, "a", a, done)
		go held[0]()
		ask(t.Context(), q, "b", b, done)
		if r := <-done; r.who != "a" || r.err != nil {
			t.Errorf("first: %+v, want a", r)
		}
		if r := <-done; !errors.Is(r.err, ErrFull) { // a keeps its call
			t.Errorf("second: %+v, want ErrFull", r)
		}
	})
}

func TestWaitIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New(apiServer)
		drain(t, q, 32)
		start := time.Now()
		_, err := q.Acquire(t.Context(), b)
		if !errors.Is(err, ErrFull) || time.Since(start) != 2*time.Second {
			t.Errorf("err = %v after %v, want ErrFull after 2s", err, time.Since(start))
		}
		if !q.waiting.empty() || len(q.waiting.lines) != 0 {
			t.Error("its place is still taken")
		}
	})
}

// With more waiting than the rate serves in two seconds, the rest is told so,
// and the bucket's timer does not outlive them.
func TestWaitIsBoundedByRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New(Limits{Rate: 10, Burst: 1, Concurrent: 100})
		drain(t, q, 1)
		done := make(chan result, 64)
		for i := range 64 {
			ask(t.Context(), q, fmt.Sprint(i), a, done)
		}
		served := 0
		for range 64 {
			r := <-done
			switch {
			case r.err == nil && r.took <= 2*time.Second:
				served++
			case errors.Is(r.err, ErrFull) && r.took == 2*time.Second:
			default:
				t.Errorf("%+v", r)
			}
		}
		// The 20th turn and the end of the wait fall on the same instant.
		if served != 19 && served != 20 {
			t.Errorf("%d served in 2s at 10 a second, want 20", served)
		}
		synctest.Wait()
		if q.refill != nil {
			t.Error("a timer runs though nobody waits")
		}
	})
}

func TestPlacesAreBounded(t *testing.T) {
	const room, none = 2 * time.Second, 0 // how long it takes to be told no
	for _, tt := range []struct {
		name      string
		addresses int // each with one waiting
		more      int // further ones of the last address
		next      netip.Addr
		want      time.Duration
	}{
		{"the last address", 255, 0, b, room},
		{"one address too many", 256, 0, b, none},
		{"an address that waits already", 256, 0, nth(255), room},
		{"the last of one address", 1, 62, nth(0), room},
		{"one too many of one address", 1, 63, nth(0), none},
		{"another address meanwhile", 1, 63, b, room},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := New(apiServer)
				drain(t, q, 32)
				done := make(chan result, 400)
				for i := range tt.addresses {
					ask(t.Context(), q, "other", nth(i), done)
				}
				for range tt.more {
					ask(t.Context(), q, "more", nth(tt.addresses-1), done)
				}
				start := time.Now()
				_, err := q.Acquire(t.Context(), tt.next)
				if took := time.Since(start); !errors.Is(err, ErrFull) || took != tt.want {
					t.Errorf("err = %v after %v, want ErrFull after %v", err, took, tt.want)
				}
			})
		})
	}
}

// nth is the i-th of many addresses.
func nth(i int) netip.Addr { return netip.AddrFrom4([4]byte{192, 168, byte(i >> 8), byte(i)}) }

func TestCancelFreesThePlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New(Limits{Rate: 1, Burst: 1, Concurrent: 10, Addresses: 1, PerAddress: 1})
		drain(t, q, 1)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan result, 2)
		ask(ctx, q, "first", a, done)
		if _, err := q.Acquire(t.Context(), a); !errors.Is(err, ErrFull) {
			t.Fatalf("no place left: err = %v, want ErrFull", err)
		}
		cancel()
		if r := <-done; !errors.Is(r.err, context.Canceled) || r.took != 0 {
			t.Errorf("%+v, want context.Canceled at once", r)
		}
		if q.refill != nil {
			t.Error("a timer runs though nobody waits")
		}
		ask(t.Context(), q, "next", b, done)
		if r := <-done; r.err != nil || r.took != time.Second {
			t.Errorf("%+v, want no error after 1s", r)
		}
	})
}

// A turn that comes while its caller goes away is not lost for the others.
func TestCancelWithTheTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New(Limits{Rate: 1000, Burst: 1000, Concurrent: 1})
		drain(t, q, 1)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan result, 1)
		ask(ctx, q, "a", a, done)
		q.mu.Lock()
		cancel()
		q.held--
		q.grant()
		q.mu.Unlock()
		if r := <-done; !errors.Is(r.err, context.Canceled) {
			t.Errorf("err = %v, want context.Canceled", r.err)
		}
		drain(t, q, 1)
	})
}

// A turn that comes with the end of the wait is used.
func TestWaitEndsWithTheTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New(Limits{Rate: 1000, Burst: 1000, Concurrent: 1})
		drain(t, q, 1)
		var turns []error
		q.enter(&waiter{addr: a, turn: func(err error) { turns = append(turns, err) }})
		q.mu.Lock()
		time.Sleep(q.limits.Wait)
		q.held--
		q.grant()
		q.mu.Unlock()
		synctest.Wait()
		if len(turns) != 1 || turns[0] != nil || q.held != 1 {
			t.Errorf("turns %v and %d held, want one of each", turns, q.held)
		}
	})
}

// Who has had its turn is let go of at once, and not when its wait would have ended.
func TestTurnEndsTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := New(Limits{Rate: 1000, Burst: 1000, Concurrent: 1})
		held := drain(t, q, 1)
		w := &waiter{addr: a, turn: func(error) {}}
		q.enter(w)
		held[0]()
		if w.late.Stop() {
			t.Error("its timer still runs")
		}
	})
}

// Who waits by Go takes no goroutine, and hears what who waits by Acquire would.
func TestGo(t *testing.T) {
	for _, tc := range []struct {
		name    string
		waiting int // before it
		hold    time.Duration
		want    error
		after   time.Duration
	}{
		{"its turn comes", 0, time.Second, nil, time.Second},
		{"behind others", 10, time.Second, nil, time.Second},
		{"no turn comes", 0, 3 * time.Second, ErrFull, 2 * time.Second},
		{"no place to wait", 64, 3 * time.Second, ErrFull, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := New(Limits{Rate: 1e6, Burst: 1000, Concurrent: 1})
				held := drain(t, q, 1)
				time.AfterFunc(tc.hold, held[0])
				before := runtime.NumGoroutine()
				for range tc.waiting {
					q.Go(a, func(release func(), err error) int {
						if err == nil {
							release()
						}
						return 0
					})
				}
				start := time.Now()
				done := make(chan result, 1)
				q.Go(a, func(release func(), err error) int {
					if err == nil {
						release()
					}
					done <- result{"", err, time.Since(start)}
					return 0
				})
				if n := runtime.NumGoroutine() - before; n > 5 {
					t.Errorf("%d goroutines for %d who wait", n, tc.waiting)
				}
				if r := <-done; r.err != tc.want || r.took.Round(time.Millisecond) != tc.after {
					t.Errorf("%v after %v, want %v after %v", r.err, r.took, tc.want, tc.after)
				}
				time.Sleep(tc.hold)
				drain(t, q, 1)
			})
		})
	}
}

func TestCallerGoneBefore(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	q := New(apiServer)
	if _, err := q.Acquire(ctx, a); !errors.Is(err, context.Canceled) || q.held != 0 {
		t.Errorf("err = %v with %d held, want context.Canceled with none", err, q.held)
	}
}

func TestHost(t *testing.T) {
	for _, tt := range []struct{ one, other string }{
		{"10.0.0.1", "10.0.0.1"},
		{"10.0.0.1", "::ffff:10.0.0.1"},
		{"2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff"},
		{"fe80::1%eth0", "fe80::2%eth1"},
	} {
		if x, y := host(netip.MustParseAddr(tt.one)), host(netip.MustParseAddr(tt.other)); x != y {
			t.Errorf("%s and %s are %s and %s, want one host", tt.one, tt.other, x, y)
		}
	}
	for _, tt := range []struct{ one, other string }{
		{"10.0.0.1", "10.0.0.2"},
		{"2001:db8:1:2::1", "2001:db8:1:3::1"},
		{"::ffff:10.0.0.1", "::1"},
	} {
		if x, y := host(netip.MustParseAddr(tt.one)), host(netip.MustParseAddr(tt.other)); x == y {
			t.Errorf("%s and %s are one host, want two", tt.one, tt.other)
		}
	}
	if got := host(netip.Addr{}); got.IsValid() {
		t.Errorf("the zero Addr is %s, want itself", got)
	}
}

func TestNewPanics(t *testing.T) {
	for _, l := range []Limits{
		{},
		{Burst: 1, Concurrent: 1},
		{Rate: -1, Burst: 1, Concurrent: 1},
		{Rate: 1, Concurrent: 1},
		{Rate: 1, Burst: 1},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("New(%+v) did not panic", l)
				}
			}()
			New(l)
		}()
	}
}
