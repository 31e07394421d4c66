package inflight

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"testing"
)

type requestKey struct{}

// request is the context of every request here.
var request = context.WithValue(context.Background(), requestKey{}, 1)

func unplaced(context.Context, Kind, int) {}

func subject(n int) Caller { return Caller{Subject: fmt.Sprint("s", n)} }

func address(n int) Caller {
	return Caller{Addr: netip.AddrFrom4([4]byte{10, 0, byte(n >> 8), byte(n)})}
}

// fill takes all the places it gets, and says how many.
func fill(l *Limiter, k Kind, c Caller) (places []Place) {
	for {
		p, ok := l.Enter(request, k, c)
		if !ok {
			return places
		}
		places = append(places, p)
	}
}

func TestShares(t *testing.T) {
	for _, tc := range []struct {
		name                   string
		max, perCaller         int
		admitted, public, exam int // for one caller
	}{
		{"defaults", 1024, 256, 256, 128, 256},
		{"all for one subject", 1024, 768, 672, 128, 448}, // but the last eighth
		{"few", 1024, 10, 10, 10, 10},
		{"least", 16, 1, 1, 1, 1},
	} {
		l := New(tc.max, tc.perCaller, unplaced, func(Kind, Caller) {})
		for k, want := range map[Kind]int{Admitted: tc.admitted, Public: tc.public, Examining: tc.exam} {
			c := address(1)
			if k == Admitted {
				c = subject(1)
			}
			if got := len(fill(l, k, c)); got != want {
				t.Errorf("%s: %v: one caller has %d places, want %d", tc.name, k, got, want)
			}
		}
	}
}

// A few who take all they can leave a place for whoever comes new, in each kind.
func TestFewLeaveRoom(t *testing.T) {
	l := New(1024, 256, unplaced, func(Kind, Caller) {})
	for k := range l.groups {
		for n := range 10 {
			fill(l, Kind(k), address(n))
		}
		g := l.groups[k]
		if g.total < g.max-g.max/8 {
			t.Fatalf("%v: %d of %d are taken", Kind(k), g.total, g.max)
		}
		if _, ok := l.Enter(request, Kind(k), address(20)); !ok {
			t.Errorf("%v: no place for a new caller", Kind(k))
		}
		if _, ok := l.Enter(request, Kind(k), address(20)); ok {
			t.Errorf("%v: a second of the last places for one caller", Kind(k))
		}
		for n := range 10000 {
			l.Enter(request, Kind(k), address(100+n))
		}
		if g.total != g.max {
			t.Errorf("%v: %d places are taken, there are %d", Kind(k), g.total, g.max)
		}
	}
}

// Who has no address is nobody in particular.
func TestNobody(t *testing.T) {
	l := New(1024, 256, unplaced, func(Kind, Caller) {})
	if n := len(fill(l, Public, Caller{})); n != 256 {
		t.Errorf("%d places, want all 256", n)
	}
}

func TestLeave(t *testing.T) {
	var refused []string
	held := 0
	l := New(16, 2, func(of context.Context, k Kind, n int) {
		if of != request || k != Admitted {
			t.Error("the place is somebody else's, or of another kind")
		}
		held += n
	}, func(k Kind, c Caller) { refused = append(refused, k.String()+" "+c.Subject) })
	places := fill(l, Admitted, subject(1))
	if len(places) != 2 || fmt.Sprint(refused) != "[admitted s1]" {
		t.Errorf("%d places, refused %v", len(places), refused)
	}
	if held != 2 {
		t.Errorf("%d were said to have a place, want 2", held)
	}
	for _, p := range places {
		p.Leave()
	}
	if held != 0 {
		t.Errorf("%d are still said to have a place", held)
	}
	if g := l.groups[Admitted]; g.total != 0 || len(g.callers) != 0 {
		t.Errorf("%d places and %d callers are left", g.total, len(g.callers))
	}
	Place{}.Leave()
	if _, ok := (*Limiter)(nil).Enter(request, Admitted, subject(1)); !ok {
		t.Error("no limiter is a limit")
	}
}

func TestParallel(t *testing.T) {
	l := New(64, 16, unplaced, func(Kind, Caller) {})
	var wg sync.WaitGroup
	for n := range 8 {
		wg.Go(func() {
			for range 1000 {
				p, ok := l.Enter(request, Admitted, subject(n%3))
				if g := l.groups[Admitted]; ok {
					g.mu.Lock()
					if g.total > g.max || g.callers[subject(n%3)] > g.each {
						t.Error("more places than there are")
					}
					g.mu.Unlock()
					p.Leave()
				}
			}
		})
	}
	wg.Wait()
	if g := l.groups[Admitted]; g.total != 0 {
		t.Errorf("%d are left", g.total)
	}
}
