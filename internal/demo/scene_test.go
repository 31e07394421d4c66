package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"
)

func named(names ...string) (found []scene) {
	for _, n := range names {
		for _, s := range scenes {
			if s.name == n {
				found = append(found, s)
			}
		}
	}
	return found
}

// TestScenesNotice: what a scene shows, it must miss where it is not there.
func TestScenesNotice(t *testing.T) {
	t.Parallel()
	const refusals = "no token, another audience, forged signature, an article's tokens, API server's audience"
	for _, tc := range []struct {
		gate   string
		fake   fake
		scenes string
		says   string // by each of them; "" means that all is well
	}{
		{"admits all", admitAll, "good caller", ""},
		{"admits all", admitAll, refusals, "the app was reached"},
		{"admits all", admitAll, "pod deleted", "no 401 within 3.0s"},
		{"admits all", admitAll, "API server down", "the app was reached"},
		{"refuses all", refuseAll, "good caller, expired copy, pod deleted, signing key rotated, API server down", "not served: 401"},
		{"refuses all", refuseAll, "no token", "names an error"},
		{"refuses all", refuseAll, "another audience, an article's tokens, API server's audience", `it says "the token was not accepted"`},
		{"never knows", shrugAll, refusals, "not refused: 503"},
		{"hands the token on", handToken, "good caller", "the app got the token"},
		{"keeps the caller's word", keepClaim, "good caller", "and admin"},
		{"names no credential", nameNobody, "good caller", "another token's id"},
		{"answers itself", answerItself, "good caller", "somebody else than the app"},
		{"refuses too late", leak, refusals, "the app was reached"},
		{"knows one key", oneKey(), "signing key rotated", "not served: 401"},
		{"loses steady requests", restless(), "signing key rotated", "not 200, the first: 503"},
		{"ends tokens early", impatient(), "expired copy", "before it expired"},
		{"does not say when to come back", outOf(shrugBriefly), "API server down", `a new caller got 503, Retry-After ""`},
		{"blames the token for an outage", outOf(blameToken), "API server down", "challenge \"Bearer"},
	} {
		t.Run(tc.gate+"/"+tc.scenes, func(t *testing.T) {
			t.Parallel()
			var b lockedBuffer
			w, err := open(t.Context(), Options{Out: &b, App: page, Serve: serveFake(tc.fake)})
			if err != nil {
				t.Fatal(err)
			}
			defer w.close()
			list := named(strings.Split(tc.scenes, ", ")...)
			outcomes := w.play(t.Context(), list)
			if len(list) == 0 || len(outcomes) != len(list) {
				t.Fatalf("%d scenes were played of %d", len(outcomes), len(list))
			}
			for _, o := range outcomes {
				if tc.says == "" && o.err != nil || tc.says != "" && (o.err == nil || !strings.Contains(o.err.Error(), tc.says)) {
					t.Errorf("%s: %v, want %q", o.name, o.err, tc.says)
				}
			}
			if told := strings.Count(b.String(), "WRONG"); tc.says == "" && told != 0 || tc.says != "" && told != len(list) {
				t.Errorf("%d of %d are told:\n%s", told, len(list), b.String())
			}
		})
	}
}

// An outage must not make the gate unready.
func TestOutageNoticesReadiness(t *testing.T) {
	t.Parallel()
	w, err := open(t.Context(), Options{Out: io.Discard, App: page, Serve: serveWith(outOf(shrugAll), unready)})
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	o := w.play(t.Context(), named("API server down"))
	check(t, o[0].name, o[0].err, "the outage made the gate unready: 503")
}

func TestRunTellsWhatItFound(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	for _, tc := range []struct {
		name   string
		serve  Serve
		scenes []scene
		err    error
		says   string
	}{
		{"good", serveFake(admitAll), calmly("good caller"), nil, "All 2 scenes went as expected"},
		{"a scene is not", serveFake(admitAll), calmly("no token"), ErrUnexpected, "1 of 2 scenes went other than expected"},
		{"the steady client is not", serveFake(refuseAll), calmly(), ErrUnexpected, "0 of 1 scenes went other than expected; steady"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var b lockedBuffer
			err := run(t.Context(), Options{Out: &b, Once: true, App: page, Serve: tc.serve}, tc.scenes)
			if !errors.Is(err, tc.err) {
				t.Errorf("err = %v, want %v", err, tc.err)
			}
			if out := b.String(); !strings.Contains(out, tc.says) || strings.Contains(out, "eyJ") {
				t.Errorf("want %q, and no token, in\n%s", tc.says, out)
			}
			nothingLeft(t)
		})
	}
}

// calmly puts a scene before others that is long enough for the steady client to
// ask at least once, as any real one is: without a request, nothing is shown.
func calmly(names ...string) []scene {
	return append([]scene{{name: "quiet", play: quiet}}, named(names...)...)
}

func quiet(ctx context.Context, t *take) error {
	for t.steady.tally().all == 0 {
		if err := pause(ctx, time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

func nothingLeft(t *testing.T) {
	t.Helper()
	left, err := os.ReadDir(os.Getenv("TMPDIR"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

// A scene that fails shows what the gate logged meanwhile, and of much the end.
func TestTail(t *testing.T) {
	t.Parallel()
	var b lockedBuffer
	w, err := open(t.Context(), Options{Out: &b, App: page, Serve: serveFake(admitAll)})
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	fails := scene{name: "fails", play: func(context.Context, *take) error {
		f, err := os.OpenFile(w.log, os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		defer f.Close()
		for i := range 20 {
			fmt.Fprintf(f, "line %d\n", i)
		}
		return errors.New("as it must")
	}}
	w.play(t.Context(), []scene{fails})
	out := b.String()
	if !strings.Contains(out, "line 12\n") || !strings.Contains(out, "line 19\n") || strings.Contains(out, "line 11\n") || strings.Contains(out, "at your service") {
		t.Errorf("not the last eight lines of the scene:\n%s", out)
	}
}

func TestRunEnds(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	t.Run("no gate", func(t *testing.T) {
		err := Run(t.Context(), Options{Out: &bytes.Buffer{}, App: page, Serve: serveNothing})
		if err == nil || !strings.Contains(err.Error(), "the gate does not start: no audience") {
			t.Errorf("err = %v", err)
		}
		nothingLeft(t)
	})
	t.Run("interrupted", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		stop := scene{name: "stop", play: func(ctx context.Context, _ *take) error { cancel(); return ctx.Err() }}
		var b lockedBuffer
		err := run(ctx, Options{Out: &b, App: page, Serve: serveFake(admitAll)}, []scene{stop, {name: "never"}})
		if !errors.Is(err, context.Canceled) || strings.Contains(b.String(), "WRONG") {
			t.Errorf("err = %v\n%s", err, b.String())
		}
		nothingLeft(t)
	})
	t.Run("duration", func(t *testing.T) {
		var b lockedBuffer
		begun := time.Now()
		err := run(t.Context(), Options{Out: &b, Duration: 300 * time.Millisecond, App: page, Serve: serveFake(admitAll)}, calmly("good caller"))
		if err != nil || time.Since(begun) < 300*time.Millisecond || !strings.Contains(b.String(), "Try it by hand") {
			t.Errorf("%v after %v\n%s", err, time.Since(begun), b.String())
		}
		nothingLeft(t)
	})
	t.Run("until interrupted", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		b := &lockedBuffer{on: map[string]func(){"Try it by hand": cancel}}
		if err := run(ctx, Options{Out: b, App: page, Serve: serveFake(admitAll)}, calmly("good caller")); err != nil {
			t.Errorf("err = %v: who has seen everything has seen it", err)
		}
		nothingLeft(t)
	})
}
