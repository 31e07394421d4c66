package browser

import (
	"slices"
	"testing"
	"time"

	"sallyport/internal/status"
)

// TestLive: the page is kept up to date without being loaded again, and what somebody
// has marked to copy it stays as it is until they are done.
func TestLive(t *testing.T) {
	t.Parallel()
	g := newGate(t, busy())
	b := open(t, look{}, g.url())
	says := func(want string) func() bool {
		return func() bool { return b.text("says") == want }
	}
	change := func(to string) {
		g.change(func(s *status.Snapshot) {
			s.Says = to
			s.Refusals.Last = slices.Clone(s.Refusals.Last)
			s.Refusals.Last[0].Detail = to
		})
	}
	const detail = `document.querySelector("#refusals tbody td:last-child")`
	change("first")
	until(t, "a change", atOnce, says("first"))
	eval[bool](b, `(getSelection().selectAllChildren(`+detail+`), true)`)
	change("second")
	until(t, "a change beside what is marked", atOnce, says("second"))
	if marked := eval[string](b, "getSelection().toString()"); marked != "first" {
		t.Errorf("%q is marked", marked)
	}
	eval[bool](b, `(getSelection().removeAllRanges(), true)`)
	change("third")
	until(t, "a change of what was marked", atOnce, func() bool { return eval[string](b, detail+".textContent") == "third" })
	if title := eval[string](b, "document.title"); title != "ready - Sallyport" {
		t.Errorf("the title is %q", title)
	}
	if n := b.requests(g.url()); n != 1 {
		t.Errorf("loaded %d times", n)
	}
}

// TestGateAway: a page says when it is not up to date, and is again by itself.
func TestGateAway(t *testing.T) {
	t.Parallel()
	g := newGate(t, busy())
	b := newTab(t, look{}) // the console complains, and may
	b.navigate(g.url())
	live := func(want string, old bool) func() bool {
		return func() bool {
			return b.text("live") == want && eval[bool](b, `document.getElementById("main").classList.contains("old")`) == old
		}
	}
	until(t, "live", atOnce, live("Live.", false))
	g.stop()
	until(t, "not live", atOnce, live("The gate does not answer: this is how it was.", true))
	b.lookAt("away")
	g.change(func(s *status.Snapshot) { s.Says = "back" })
	g.start()
	// Chromium tries every 3 s.
	until(t, "live again", atOnce+10*time.Second, live("Live.", false))
	until(t, "what is new", atOnce, func() bool { return b.text("says") == "back" })
}
