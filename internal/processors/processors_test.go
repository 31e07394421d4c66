package processors

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// run has a governor see how many processors are busy, a tick each, and returns what
// it sets, with the tick: "5:1" is one processor after the fifth.
func run(t *testing.T, most func() int, busy []float64) (set []string) {
	synctest.Test(t, func(t *testing.T) {
		begun, next := time.Now(), 0
		var total time.Duration
		g := &Governor{
			most: most,
			used: func() (time.Duration, error) {
				if at := int(time.Since(begun) / tick); at > next {
					total += time.Duration(busy[next] * float64(tick))
					next = at
				}
				return total, nil
			},
			set: func(n int) { set = append(set, fmt.Sprintf("%d:%d", next, n)) },
		}
		ctx, stop := context.WithTimeout(t.Context(), time.Duration(len(busy))*tick+tick/2)
		defer stop()
		if err := g.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	return set
}

func ticks(n int, busy float64) []float64 { return slices.Repeat([]float64{busy}, n) }

func TestGovernor(t *testing.T) {
	for _, tc := range []struct {
		name string
		most int
		busy [][]float64
		want string
	}{
		{"idle", 2, [][]float64{ticks(30, 0)}, "5:1"},
		{"idle, of eight", 8, [][]float64{ticks(40, 0)}, "5:4 10:2 15:1"},
		{"idle, of three", 3, [][]float64{ticks(40, 0)}, "5:1"},
		{"idle, there is one", 1, [][]float64{ticks(40, 0)}, ""},
		{"busy, there is one", 1, [][]float64{ticks(40, 1)}, ""},
		{"one would do", 2, [][]float64{ticks(20, 0.8)}, "5:1"},
		{"one would not", 2, [][]float64{ticks(40, 0.9)}, ""},
		{"as much as there is", 2, [][]float64{ticks(40, 2)}, ""},
		{"not for long enough", 2, [][]float64{ticks(4, 0), {0.9}, ticks(4, 0), {0.9}}, ""},
		{"a burst", 2, [][]float64{ticks(12, 0), {0.9}, ticks(4, 0)}, "5:1"},
		{"a burst and its end", 2, [][]float64{ticks(12, 0), {0.9}, ticks(6, 0)}, "5:1 18:1"},
		{"more and more", 8, [][]float64{ticks(17, 0), {0.9, 1.8, 3.6}, ticks(3, 7)}, "5:4 10:2 15:1 18:2 19:4"},
		{"half of them", 8, [][]float64{ticks(32, 2.5)}, "5:4"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := strings.Join(run(t, func() int { return tc.most }, slices.Concat(tc.busy...)), " "); got != tc.want {
				t.Errorf("set %q, want %q", got, tc.want)
			}
		})
	}
}

// A container's limit may change while it runs.
func TestLimitChanges(t *testing.T) {
	most := 4
	asked := 0
	got := run(t, func() int {
		if asked++; asked > 1 {
			most = 3
		}
		return most
	}, slices.Concat(ticks(10, 0), ticks(2, 2)))
	if want := "5:2 10:1 11:2"; strings.Join(got, " ") != want {
		t.Errorf("set %q, want %q", got, want)
	}
	if asked != 4 { // at first, for two, for three, at the end
		t.Errorf("asked %d times for the limit", asked)
	}
}

func TestUnknownUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("broken")
		for _, fails := range []int{1, 2} {
			calls := 0
			g := &Governor{most: func() int { return 2 }, set: func(n int) { t.Errorf("set %d", n) }, used: func() (time.Duration, error) {
				if calls++; calls == fails {
					return 0, broken
				}
				return 0, nil
			}}
			if err := g.Run(t.Context()); err != broken {
				t.Errorf("the %d. call fails: %v", fails, err)
			}
		}
	})
}

// What was asked of Go is what Go does, and it is as before at the end.
func TestHere(t *testing.T) {
	g := New()
	before := g.most() // the variable GOMAXPROCS may say something else
	g.now, g.calm = 2, calm
	g.look(0)
	if n := runtime.GOMAXPROCS(0); n != 1 {
		t.Errorf("%d processors while idle", n)
	}
	g.look(1)
	if n := runtime.GOMAXPROCS(0); n != g.now || n != min(2, before) {
		t.Errorf("%d processors while busy, of %d", n, before)
	}
	if n := g.most(); n != before {
		t.Errorf("%d processors at the end, %d before", n, before)
	}
	busy, _ := g.used()
	for until := time.Now().Add(time.Minute); ; {
		if now, err := g.used(); err != nil || now > busy {
			return
		}
		if time.Now().After(until) {
			t.Fatal("a minute of work takes no time")
		}
	}
}
