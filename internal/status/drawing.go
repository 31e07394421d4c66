package status

import (
	"fmt"
	"time"
)

// A scale puts moments on a line of so many units.
type scale struct {
	from, to time.Time
	width    float64
}

func (s scale) at(t time.Time) float64 {
	if !s.to.After(s.from) {
		return 0
	}
	x := s.width * float64(t.Sub(s.from)) / float64(s.to.Sub(s.from))
	return min(max(x, 0), s.width)
}

// width and height are a drawing's own units: it is as wide as the page, and as high
// as the style says.
const width, height = 600, 60

// ownToken draws the token's life, from when it was issued through when the
// kubelet should replace it to its end, with the rotations before it as marks.
func (w *writer) ownToken(s *Snapshot) {
	w.section("token", "Own token")
	defer w.end()
	t := s.OwnToken
	switch {
	case t == nil:
		w.markup(`<p class="none">None is used: the kubeconfig's credentials are.</p>` + "\n")
		return
	case t.Expires.IsZero() || t.Issued.IsZero():
		w.markup(`<p class="none">`)
		w.text(dash(t.Problem))
		w.markup("</p>\n")
		return
	}
	life := scale{from: t.Issued, to: t.Expires, width: width}
	if len(t.Loaded) > 0 && t.Loaded[0].Before(t.Issued) {
		life.from = t.Loaded[0]
		// The present is what one looks for: the past has half at most.
		if earliest := t.Issued.Add(-t.Expires.Sub(t.Issued)); life.from.Before(earliest) {
			life.from = earliest
		}
	}
	w.markup(fmt.Sprintf(`<svg class="life" viewBox="0 0 %d 34" preserveAspectRatio="none" role="img" aria-label="the life of our own token">`, width))
	bar := func(class string, from, to time.Time) {
		w.markup(fmt.Sprintf(`<rect class="%s" x="%.1f" y="10" width="%.1f" height="12"/>`, class, life.at(from), max(life.at(to)-life.at(from), 0)))
	}
	bar("past", life.from, t.Issued)
	bar("fresh", t.Issued, t.Rotate)
	bar("late", t.Rotate, t.Expires)
	for _, at := range t.Loaded {
		if !at.Before(life.from) {
			w.markup(fmt.Sprintf(`<rect class="rotation" x="%.1f" y="6" width="2" height="20"><title>`, life.at(at)))
			w.text("rotated " + since(at, s.Now))
			w.markup("</title></rect>")
		}
	}
	w.markup(fmt.Sprintf(`<rect class="now" x="%.1f" y="2" width="3" height="30"><title>now</title></rect></svg>`+"\n", life.at(s.Now)))
	w.markup(`<p class="legend key"><span class="past">tokens before</span><span class="fresh">fresh</span>` +
		`<span class="late">to be replaced</span><span class="rotation">replaced</span><span class="now">now</span></p>` + "\n")
	w.markup(`<p class="sentence">`)
	w.text(fmt.Sprintf("%s: issued %s, the kubelet should replace it %s, expires %s. ",
		t.State, since(t.Issued, s.Now), since(t.Rotate, s.Now), since(t.Expires, s.Now)))
	times := "times"
	if t.Rotations == 1 {
		times = "time"
	}
	w.markup(`Replaced <b id="rotations">` + fmt.Sprint(t.Rotations) + `</b> ` + times + ` since the start.`)
	if t.Problem != "" {
		w.markup(` <strong>`)
		w.text(t.Problem)
		w.markup(`</strong>`)
	}
	w.markup("</p>\n")
}

// chart draws decisions, a column for each slot.
func (w *writer) chart(recent []Slot, now time.Time) {
	most := uint64(1)
	for _, c := range recent {
		most = max(most, c.Accepted+c.Refused+c.Unavailable)
	}
	const column = float64(width) / slots
	w.markup(fmt.Sprintf(`<svg class="chart" viewBox="0 0 %d %d" preserveAspectRatio="none" role="img" aria-label="decisions of the last 15 minutes">`, width, height))
	for i, c := range recent {
		x, y := width-column*float64(len(recent)-i), float64(height)
		w.markup("<g><title>")
		w.text(fmt.Sprintf("%s: %d accepted, %d refused, %d undecided", since(c.From, now), c.Accepted, c.Refused, c.Unavailable))
		w.markup("</title>")
		for _, part := range []struct {
			class string
			n     uint64
		}{{"accepted", c.Accepted}, {"refused", c.Refused}, {"unavailable", c.Unavailable}} {
			if part.n == 0 {
				continue
			}
			// What happened at all is to be seen, however little it is.
			h := max(float64(height)*float64(part.n)/float64(most), 1.5)
			y -= h
			w.markup(fmt.Sprintf(`<rect class="%s" x="%.1f" y="%.1f" width="%.1f" height="%.1f"/>`, part.class, x, y, column-2, h))
		}
		w.markup("</g>")
	}
	w.markup("</svg>\n")
}
