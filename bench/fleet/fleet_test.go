package fleet

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

var (
	gates = flag.Int("gates", 40, "so many are simulated, and stand for 10,000")
	draw  = flag.String("draw", "", "write an SVG to the `file`")
)

const (
	// whole is the fleet, each gate of it with so many callers. All that gates
	// have in common is the API server, so that a part of them beside as much less
	// of that shows the same.
	whole, callers = 10_000, 20
	// able is what a cluster's API servers can do, in reviews a second: twelve
	// cores, as one takes 0.8 ms of a core.
	able    = 15_000
	recheck = 30 * time.Second // serve's default
	every   = 3 * time.Second  // a caller's requests
	warmUp  = time.Minute      // until load is even
	event   = 30 * time.Second // when what happens begins, after the warm-up
	length  = 4 * time.Minute  // of what is seen
	step    = 5 * time.Second  // of the printed chart
)

var scenarios = []struct {
	title string
	do    func(context.Context, *Fleet) error
	// ends is when it is over.
	ends time.Duration
	// turned says that requests may be answered with 503.
	turned bool
}{
	{"all gates restart at once", func(ctx context.Context, f *Fleet) error { return f.Restart(ctx, 0) }, event + 20*time.Second, true},
	{"all gates restart within a minute", func(ctx context.Context, f *Fleet) error { return f.Restart(ctx, time.Minute) }, event + time.Minute, false},
	{"the API server is away for a minute", func(_ context.Context, f *Fleet) error {
		f.able(0)
		time.Sleep(time.Minute)
		f.able(able)
		return nil
	}, event + time.Minute + 20*time.Second, false},
	{"the API server can do half of what is asked, for a minute", func(_ context.Context, f *Fleet) error {
		f.able(4_500)
		time.Sleep(time.Minute)
		f.able(able)
		return nil
	}, event + time.Minute + 20*time.Second, false},
}

// scale is what a gate stands for.
func (f *Fleet) scale() float64 { return whole / float64(f.Gates) }

func (f *Fleet) able(rate float64) { f.Server.SetRate(rate / f.scale()) }

// What happens to a fleet costs the API server what it must, and no more: soon
// after, the load is what it was, and even. Who was known before is let in all the
// time.
func TestFleet(t *testing.T) {
	var panels []Panel
	for _, sc := range scenarios {
		t.Run(sc.title, func(t *testing.T) {
			f := play(t, sc.do)
			rates := f.Server.Asked.Rates(step, f.scale())
			var chart bytes.Buffer
			Chart(&chart, step, rates)
			seconds := f.Server.Asked.Rates(time.Second, f.scale())
			before := mean(rates[:event/step])
			t.Logf("TokenReviews a second of %d gates with %d callers, of which %d were simulated: %.0f at first, %.0f at most;\n"+
				"%.0f answered with 429, and %.0f requests of callers with 503\n%s",
				whole, callers, f.Gates, before, slices.Max(seconds), f.Server.Refused.Sum(f.scale()), f.Turned.Sum(f.scale()), &chart)
			panels = append(panels, Panel{Title: fmt.Sprintf("%s: at most %.0f/s", sc.title, slices.Max(seconds)), Rates: seconds, Step: time.Second, Top: 45_000})
			for i, r := range rates[sc.ends/step:] {
				if r > 1.5*before {
					t.Errorf("%v after it was over: %.0f reviews a second, and before it were %.0f", time.Duration(i)*step, r, before)
				}
			}
			if n := f.Turned.Sum(1); n > 0 && !sc.turned {
				t.Errorf("%.0f requests of known callers were turned away", n)
			}
		})
	}
	if *draw != "" {
		var svg bytes.Buffer
		Draw(&svg, panels)
		if err := os.WriteFile(*draw, svg.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// play runs one scenario in a bubble of its own.
func play(t *testing.T, do func(context.Context, *Fleet) error) (f *Fleet) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), warmUp+length)
		defer cancel()
		series := func() *Series { return NewSeries(time.Now().Add(warmUp), length) }
		f = &Fleet{
			Gates: *gates, Callers: callers, Every: every, Recheck: recheck,
			Server: &Server{Asked: series(), Refused: series()}, Turned: series(),
		}
		f.able(able)
		if err := f.Start(ctx, recheck); err != nil {
			t.Fatal(err)
		}
		time.Sleep(warmUp + event)
		if err := do(ctx, f); err != nil {
			t.Fatal(err)
		}
		f.Wait()
		time.Sleep(10 * time.Second) // decisions under way come to their end
	})
	return f
}

func mean(rates []float64) float64 {
	sum := 0.0
	for _, r := range rates {
		sum += r
	}
	return sum / float64(len(rates))
}
