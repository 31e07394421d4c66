package tokenfile

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"

	"sallyport/internal/authn/jwt"
	"sallyport/internal/filewatch"
	"sallyport/internal/filewatch/volumetest"
)

// run runs s until the test ends.
func run(t *testing.T, runs ...func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for _, f := range runs {
		wg.Go(func() {
			if err := f(ctx); err != nil {
				t.Errorf("Run = %v", err)
			}
		})
	}
	t.Cleanup(func() { cancel(); wg.Wait() })
}

// whole is a token that says everything about itself twice, so that a mixture
// of two does not pass.
func whole(i int) string {
	return sign(fmt.Sprintf(`{"jti":"%d","sub":"%d","x":"%s"}`, i, i, strings.Repeat("a", i%97)))
}

func isWhole(raw string) bool {
	tok, err := jwt.Decode(raw)
	if err != nil || tok.Claims.ID != tok.Claims.Subject {
		return false
	}
	var i int
	_, err = fmt.Sscan(tok.Claims.ID, &i)
	return err == nil && raw == whole(i)
}

// Run looks at most 20 times a second. Here a look may come at any moment of a
// rotation, some thousand times.
func TestTenThousandRotations(t *testing.T) {
	const rotations = 10_000
	v := volumetest.New(t)
	put := func(i int) { v.Write(map[string]string{"token": whole(i)}) }
	put(0)
	s := mustOpen(t, Options{Path: v.Path("token")})
	var stop atomic.Bool
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for last := ""; !stop.Load(); time.Sleep(100 * time.Microsecond) {
				raw, err := s.Token()
				if err != nil {
					t.Errorf("Token: %v", err)
					return
				}
				if raw != last && !isWhole(raw) {
					t.Errorf("not a whole token")
					return
				}
				last = raw
				s.Status()
			}
		})
	}
	looks := make(chan struct{}, 1)
	wg.Go(func() {
		for range looks {
			s.look()
			time.Sleep(500 * time.Microsecond) // leaves the writer and the readers a processor
		}
	})
	for i := 1; i <= rotations; i++ {
		if i%25 == 0 { // where the writer has the only processor, nobody would look else
			looks <- struct{}{}
		}
		select {
		case looks <- struct{}{}:
		default:
		}
		put(i)
	}
	looks <- struct{}{} // and one look after the last
	close(looks)
	stop.Store(true)
	wg.Wait()
	if raw, _ := s.Token(); raw != whole(rotations) {
		t.Error("not the last token")
	}
	if st := s.Status(); st.Rotations < 100 || st.LastError != "" {
		t.Errorf("status = %+v", st)
	}
}

// The real thing, with the kernel's notifications and without: remounted,
// rotated, in force within a second; the rest is for a busy machine.
func TestWithinASecond(t *testing.T) {
	for _, hints := range []bool{true, false} {
		t.Run(fmt.Sprintf("hints=%v", hints), func(t *testing.T) {
			t.Parallel()
			v := volumetest.New(t)
			v.Write(map[string]string{"token": whole(0)})
			o := Options{Path: v.Path("token"), Log: zap.NewNop()}
			w := filewatch.NewWatcher(zap.NewNop())
			if hints {
				o.Hints = w.Hints(o.Path)
			}
			s := mustOpen(t, o)
			run(t, s.Run, w.Run)
			for i := 1; i <= 4; i++ {
				if i == 3 {
					v.Unmount()
				}
				v.Write(map[string]string{"token": whole(i)})
				took := within(t, func() bool { raw, _ := s.Token(); return raw == whole(i) })
				if took > 3*time.Second {
					t.Errorf("rotation %d took %v", i, took)
				}
			}
		})
	}
}

// within waits until ok, and returns how long that took.
func within(t *testing.T, ok func() bool) time.Duration {
	t.Helper()
	for start := time.Now(); ; time.Sleep(time.Millisecond) {
		if took := time.Since(start); ok() {
			return took
		} else if took > 10*time.Second {
			t.Fatal("not within 10 s")
		}
	}
}

// A writer that is no kubelet truncates the file and fills it again.
func TestTornInPlace(t *testing.T) {
	path := t.TempDir() + "/token"
	if err := os.WriteFile(path, []byte(whole(0)), 0o600); err != nil {
		t.Fatal(err)
	}
	s := mustOpen(t, Options{Path: path})
	next := whole(1)
	for n := range len(next) {
		if err := os.WriteFile(path, []byte(next[:n]), 0o600); err != nil {
			t.Fatal(err)
		}
		s.look()
		if raw, _ := s.Token(); raw != whole(0) {
			t.Fatalf("%d of %d bytes were taken for a token", n, len(next))
		}
	}
	if err := os.WriteFile(path, []byte(next), 0o600); err != nil {
		t.Fatal(err)
	}
	if s.look(); s.Status().Rotations != 1 {
		t.Error("the whole token was not taken")
	}
}
