package cache

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sallyport/internal/authn"
)

// A limiter has a number of places, and notes who asks for one.
type limiter struct {
	places chan struct{}
	full   bool // there is none, and no use in waiting

	mu    sync.Mutex
	asked []netip.Addr
	worth []int // more than one
}

func (l *limiter) Go(a netip.Addr, f func(func(), error) int) {
	l.mu.Lock()
	l.asked = append(l.asked, a)
	l.mu.Unlock()
	if l.full {
		_ = f(nil, errors.New("full"))
		return
	}
	go func() {
		l.places <- struct{}{}
		more := f(sync.OnceFunc(func() { <-l.places }), nil)
		l.mu.Lock()
		defer l.mu.Unlock()
		l.worth = append(l.worth, more)
	}()
}

// strangers makes a cache with one place for those who are not known. What a
// token is about is what its examination takes: "compute" computes for a second,
// "wait" waits for a second for somebody else, and all others take no time.
func strangers(t *testing.T) (*Cache, *limiter) {
	t.Helper()
	l := &limiter{places: make(chan struct{}, 1)}
	c, err := New(authn.Func(func(ctx context.Context, token string) (authn.Identity, error) {
		switch {
		case strings.HasPrefix(token, "wait"):
			authn.Waits(ctx)
			fallthrough
		case strings.HasPrefix(token, "compute"):
			time.Sleep(time.Second)
		case strings.HasPrefix(token, "refused"):
			return authn.Identity{}, authn.Refuse(authn.Signature, "")
		case token == "unavailable":
			return authn.Identity{}, authn.Unavailable(authn.KeysUnavailable, "")
		}
		return confirmed(), nil
	}), Options{Recheck: recheck, Examine: l})
	if err != nil {
		t.Fatal(err)
	}
	return c, l
}

func TestStrangersTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := strangers(t)
		for _, token := range []string{"compute", "compute too"} {
			go c.Authenticate(t.Context(), token)
		}
		synctest.Wait()
		want(t, c, "stranger", nil, 2*time.Second)
	})
}

// Who is known needs no place, not even to be rechecked.
func TestKnownNeedsNoPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, l := strangers(t)
		want(t, c, "known", nil, 0)
		for range 3 { // the confirmation is fresh, in its last fifth, overdue
			go c.Authenticate(t.Context(), "compute "+time.Now().String())
			synctest.Wait()
			asked := len(l.asked)
			want(t, c, "known", nil, 0)
			synctest.Wait()
			if n := len(l.asked); n != asked {
				t.Error("it asked for a place")
			}
			time.Sleep(recheck * 9 / 10)
		}
	})
}

func TestWhoWaitsLeavesItsPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, l := strangers(t)
		for _, token := range []string{"wait", "wait too"} {
			go c.Authenticate(t.Context(), token)
		}
		synctest.Wait()
		want(t, c, "stranger", nil, 0)
		time.Sleep(2 * time.Second)
		if n := len(l.places); n != 0 {
			t.Errorf("%d places are left taken", n)
		}
	})
}

func TestNoPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, l := strangers(t)
		want(t, c, "known", nil, 0)
		l.full = true
		addr := netip.MustParseAddr("192.0.2.1")
		_, err := c.Authenticate(authn.WithCaller(t.Context(), authn.Caller{Addr: addr}), "stranger")
		if !errors.Is(err, authn.ErrUnavailable) || authn.ReasonOf(err) != authn.Overload {
			t.Errorf("err = %v, want an overload", err)
		}
		if !slices.Contains(l.asked, addr) {
			t.Errorf("asked for %v, want the caller's address", l.asked)
		}
		want(t, c, "known", nil, 0)
		l.full = false
		want(t, c, "stranger", nil, 0) // an overload is not remembered
	})
}

// Long tokens are worth more places, and bad ones.
func TestWorth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, l := strangers(t)
		long := strings.Repeat("x", authn.MaxToken-len("refused"))
		for _, token := range []string{"x", long[:costly-1], long[:costly], long + "xxxxxxx", "refused", "refused" + long, "unavailable"} {
			_, _ = c.Authenticate(t.Context(), token)
			synctest.Wait()
		}
		if want := []int{0, 0, 1, 5, bad, 5 + bad, 0}; !slices.Equal(l.worth, want) {
			t.Errorf("they were worth %v more, want %v", l.worth, want)
		}
	})
}

func TestPanicLeavesItsPlace(t *testing.T) {
	l := &limiter{places: make(chan struct{}, 1)}
	c, err := New(authn.Func(func(context.Context, string) (authn.Identity, error) { panic("oops") }),
		Options{Recheck: recheck, Examine: l})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second would hang
		if _, err := c.Authenticate(t.Context(), "t"); err == nil || !strings.Contains(err.Error(), "oops") {
			t.Errorf("err = %v, want the panic as an error", err)
		}
	}
}
