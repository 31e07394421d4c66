package browser

import (
	"strconv"
	"testing"
	"time"
)

// TestNumbers: the page shows what /status says, all of it at one moment.
func TestNumbers(t *testing.T) {
	t.Parallel()
	d := play(t)
	b := open(t, look{}, d.url)
	<-after(t, d.over, scenes)
	d.agree(t, b, func() {})
	s := wanted(d.status(t))
	if len(s.Refusals) == 0 || len(s.Callers) == 0 || len(s.Keys) == 0 || s.Accepted == "0" {
		t.Errorf("there was nothing to compare: %+v", s)
	}
}

// agree waits until the page shows what /status said a moment ago. The demo's
// caller calls ten times a second, so that no two looks are at the same moment: while
// the page is looked at, /status is read all the time.
func (d *played) agree(t *testing.T, b *tab, again func()) {
	t.Helper()
	h := d.hear()
	var page shown
	defer func() {
		if err := h.stop(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("the page: %+v\n/status: %+v", page, h.said[max(0, len(h.said)-1):])
		}
	}()
	until(t, "the page shows what /status says", 20*time.Second, func() bool {
		again()
		page = eval[shown](b, read)
		return h.knows(page)
	})
}

// TestRotation: a token of our own that has just been loaded is on the page within
// a second; the rest is for a machine with other things to do.
func TestRotation(t *testing.T) {
	t.Parallel()
	d := play(t)
	b := open(t, look{}, d.url)
	rotations := func() int {
		n, err := strconv.Atoi(b.text("rotations"))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for range 3 {
		before := rotations()
		until(t, "a rotation", scenes, func() bool { return rotations() > before })
		seen, shows := time.Now(), rotations()
		own := d.status(t).OwnToken
		// Others may have followed since.
		loaded := own.Loaded[len(own.Loaded)-1-(int(own.Rotations)-shows)]
		took := seen.Sub(loaded)
		t.Logf("rotation %d is on the page after %v", shows, took)
		if took > 3*time.Second {
			t.Errorf("rotation %d is on the page after %v", shows, took)
		}
		marks := eval[int](b, `document.querySelectorAll(".life .rotation").length`)
		if marks < 1 {
			t.Error("the bar has no mark")
		}
	}
}

// TestNoScripts: the page is whole without them, as of when it was loaded.
func TestNoScripts(t *testing.T) {
	t.Parallel()
	d := play(t)
	b := open(t, look{noScripts: true}, d.url)
	<-after(t, d.over, scenes)
	d.agree(t, b, func() { b.navigate(d.url) })
	if live := b.text("live"); live != "As of when it was loaded." {
		t.Errorf("it says %q", live)
	}
	if n := b.requests(d.url + "events"); n > 0 {
		t.Errorf("events were asked for %d times: scripts ran", n)
	}
}

// after is c, or ends the test.
func after(t *testing.T, c <-chan struct{}, most time.Duration) <-chan struct{} {
	t.Helper()
	select {
	case <-c:
	case <-time.After(most):
		t.Fatalf("the demo's scenes are not over after %v", most)
	}
	return c
}
