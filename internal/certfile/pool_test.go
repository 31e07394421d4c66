package certfile

import (
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"sallyport/internal/filewatch/volumetest"
)

func (h *house) openPool(names ...string) (*Pool, error) {
	var files []string
	for _, name := range names {
		files = append(files, h.v.Path(name))
	}
	return OpenPool(h.log, nil, files...)
}

func mustPool(t *testing.T, h *house, names ...string) *Pool {
	t.Helper()
	p, err := h.openPool(names...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// wantRoots checks that p trusts these and nobody else.
func wantRoots(t *testing.T, p *Pool, what string, want ...made) {
	t.Helper()
	pool := x509.NewCertPool()
	for _, m := range want {
		pool.AddCert(m.x509)
	}
	if !p.Roots().Equal(pool) {
		t.Errorf("%s: not the %d roots that are wanted", what, len(want))
	}
}

func TestPoolRotates(t *testing.T) {
	a, b := make1(t, 1), make1(t, 2)
	inBubble(t, func(t *testing.T, h *house) {
		h.v.Write(map[string]string{"ca.crt": a.cert})
		p := mustPool(t, h, "ca.crt")
		h.run(t, p.Run)
		first := p.Roots()
		time.Sleep(10 * time.Second)
		if p.Roots() != first || !p.Ready() {
			t.Error("another pool though nothing changed, or not ready")
		}
		h.wantLines(t, "for a while", "info: CA certificates loaded|certificates:1|not_understood:0|ca_file:"+h.v.Path("ca.crt"))
		h.v.Write(map[string]string{"ca.crt": a.cert + b.cert})
		h.wait()
		wantRoots(t, p, "two", a, b)
		h.v.Write(map[string]string{"ca.crt": b.cert})
		h.wait()
		wantRoots(t, p, "the new one alone", b)
		h.wantLines(t, "rotated twice", "info: CA certificates loaded|certificates:2", "info: CA certificates loaded|certificates:1")
	})
}

func TestPoolStaysGood(t *testing.T) {
	a, b := make1(t, 1), make1(t, 2)
	bundle := b.cert + a.cert
	for name, tc := range map[string]struct {
		content string
		want    string
	}{
		"empty":             {"", "no PEM certificate"},
		"no PEM":            {"hello", "no PEM certificate"},
		"a key":             {b.key, "no PEM certificate"},
		"torn":              {bundle[:len(bundle)-40], "torn"},
		"torn in the first": {bundle[:len(b.cert)/2], "torn"},
		"a hole":            {strings.Replace(bundle, "\nMI", "\n*!", 1), "torn"},
		"not DER":           {block(certType, []byte("x")), "can be parsed"},
		"larger than sense": {bundle + strings.Repeat("\n", 1<<20), "more than"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, h *house) {
				h.v.Write(map[string]string{"ca.crt": a.cert})
				p := mustPool(t, h, "ca.crt")
				h.logs.TakeAll()
				h.run(t, p.Run)
				first := p.Roots()
				h.v.Write(map[string]string{"ca.crt": tc.content})
				time.Sleep(10 * time.Second)
				h.wantLines(t, "for a while", "warn: |last good certificates stay|"+tc.want)
				if p.Roots() != first || !p.Ready() {
					t.Error("another pool, or not ready")
				}
				h.v.Write(map[string]string{"ca.crt": b.cert})
				h.wait()
				wantRoots(t, p, "recovered", b)
				h.wantLines(t, "recovered", "info: the CA file is good again", "info: CA certificates loaded")
				if err := os.Remove(h.v.Path("ca.crt")); err != nil {
					t.Fatal(err)
				}
				h.wait()
				wantRoots(t, p, "deleted", b)
			})
			v := volumetest.New(t)
			v.Write(map[string]string{"ca.crt": tc.content})
			if p, err := OpenPool(zap.NewNop(), nil, v.Path("ca.crt")); err == nil || p != nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("at start: %v; want %q", err, tc.want)
			}
		})
	}
}

func TestOpenPoolReportsAll(t *testing.T) {
	if _, err := OpenPool(zap.NewNop(), nil); err == nil {
		t.Error("no files at all are no error")
	}
	dir := t.TempDir()
	_, err := OpenPool(zap.NewNop(), nil, dir, filepath.Join(dir, "missing"), "/dev/null")
	if err == nil || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "/dev/null") || strings.Contains(err.Error(), "missing") {
		t.Errorf("%v; want both files that are wrong, and not the one to wait for", err)
	}
}

// One certificate that crypto/x509 does not understand must not cost the rest.
func TestPoolLeavesOutWhatItDoesNotKnow(t *testing.T) {
	a, b := make1(t, 1), make1(t, 2)
	inBubble(t, func(t *testing.T, h *house) {
		h.v.Write(map[string]string{"ca.crt": "# a comment\n" + a.cert + block(certType, []byte("x")) + a.key + b.cert})
		wantRoots(t, mustPool(t, h, "ca.crt"), "two of three", a, b)
		h.wantLines(t, "loaded", "info: CA certificates loaded|certificates:2|not_understood:1")
	})
}

func TestPoolWaitsForMissing(t *testing.T) {
	a, b := make1(t, 1), make1(t, 2)
	inBubble(t, func(t *testing.T, h *house) {
		p := mustPool(t, h, "ca.crt", "extra.crt")
		h.run(t, p.Run)
		time.Sleep(10 * time.Second)
		wantRoots(t, p, "neither")
		if _, err := a.x509.Verify(x509.VerifyOptions{Roots: p.Roots()}); err == nil || p.Ready() {
			t.Errorf("a pool without roots trusts somebody, or is ready: %v", err)
		}
		h.wantLines(t, "neither", "warn: no CA certificates yet|ca.crt", "warn: no CA certificates yet|extra.crt")
		h.v.Write(map[string]string{"extra.crt": b.cert})
		h.wait()
		if wantRoots(t, p, "one", b); p.Ready() {
			t.Error("ready though a file is missing")
		}
		h.v.Write(map[string]string{"extra.crt": b.cert, "ca.crt": a.cert})
		h.wait()
		if wantRoots(t, p, "both", a, b); !p.Ready() {
			t.Error("not ready")
		}
		h.v.Write(map[string]string{"ca.crt": b.cert}) // the other one's link dangles
		h.wait()
		if wantRoots(t, p, "one is gone", b); !p.Ready() {
			t.Error("no longer ready")
		}
	})
}

func TestPoolReread(t *testing.T) {
	a, b := make1(t, 1), make1(t, 2)
	inBubble(t, func(t *testing.T, h *house) {
		put := func(m made) { h.v.Write(map[string]string{"ca.crt": m.cert}) }
		put(a)
		p := mustPool(t, h, "ca.crt")
		for i, step := range []struct {
			wait    time.Duration
			content made
			changed bool
			want    made
		}{
			{0, a, false, a},
			{0, b, false, a}, // it was read this very second
			{forceEvery - time.Millisecond, b, false, a},
			{time.Millisecond, b, true, b},
			{forceEvery, b, false, b},
			{forceEvery, a, true, a},
		} {
			time.Sleep(step.wait)
			put(step.content)
			if got := p.Reread(); got != step.changed {
				t.Errorf("step %d: changed = %v", i, got)
			}
			wantRoots(t, p, "reread", step.want)
		}
	})
}

func TestPoolReadsEachFile(t *testing.T) {
	a, b, c := make1(t, 1), make1(t, 2), make1(t, 3)
	inBubble(t, func(t *testing.T, h *house) {
		h.v.Write(map[string]string{"1": a.cert, "2": a.cert})
		p := mustPool(t, h, "1", "2")
		h.v.Write(map[string]string{"1": b.cert, "2": c.cert})
		if !p.Reread() {
			t.Error("nothing changed")
		}
		wantRoots(t, p, "both have changed", b, c)
	})
}

func TestDigest(t *testing.T) {
	one := digestOf([]byte("ab"), []byte("c"))
	if one == digestOf([]byte("a"), []byte("bc")) || one != digestOf([]byte("ab"), []byte("c")) {
		t.Error("a digest does not tell where a file ends, or changes")
	}
}

func TestHintIsSoonerThanThePoll(t *testing.T) {
	a, b := make1(t, 1), make1(t, 2)
	inBubble(t, func(t *testing.T, h *house) {
		files := func(m made) map[string]string {
			return map[string]string{"ca.crt": m.cert, "tls.crt": m.cert, "tls.key": m.key}
		}
		h.v.Write(files(a))
		hints := []chan struct{}{make(chan struct{}, 1), make(chan struct{}, 1)}
		p, err := OpenPool(h.log, hints[0], h.v.Path("ca.crt"))
		if err != nil {
			t.Fatal(err)
		}
		k, err := OpenKeyPair(h.v.Path("tls.crt"), h.v.Path("tls.key"), h.log, hints[1])
		if err != nil {
			t.Fatal(err)
		}
		h.run(t, p.Run)
		h.run(t, k.Run)
		h.v.Write(files(b))
		for _, c := range hints {
			c <- struct{}{}
		}
		synctest.Wait()
		if wantRoots(t, p, "hinted at", b); serialOf(t, k) != 2 {
			t.Error("the key pair waits for the poll")
		}
	})
}

func TestPoolUnderRotation(t *testing.T) {
	a, b := make1(t, 1), make1(t, 2)
	v := volumetest.New(t)
	put := func(m made) { v.Write(map[string]string{"ca.crt": m.cert}) }
	put(a)
	p, err := OpenPool(zap.NewNop(), nil, v.Path("ca.crt"))
	if err != nil {
		t.Fatal(err)
	}
	var pools [2]*x509.CertPool
	for i, m := range []made{a, b} {
		pools[i] = x509.NewCertPool()
		pools[i].AddCert(m.x509)
	}
	var stop atomic.Bool
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for !stop.Load() {
				p.Reread()
				if r := p.Roots(); !r.Equal(pools[0]) && !r.Equal(pools[1]) || !p.Ready() {
					t.Error("neither the old nor the new roots")
					return
				}
				time.Sleep(10 * time.Microsecond)
			}
		})
	}
	for i := range 1000 {
		put([]made{b, a}[i%2])
		p.mu.Lock()
		p.look()
		p.mu.Unlock()
	}
	stop.Store(true)
	wg.Wait()
}
