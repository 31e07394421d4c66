package fleet

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// width is that of the longest bar, in characters.
const width = 60

// Chart prints a bar for each step.
func Chart(w io.Writer, step time.Duration, rates []float64) {
	most := max(slices.Max(rates), 1)
	for i, r := range rates {
		fmt.Fprintf(w, "%5.0f s %7.0f %s\n", (time.Duration(i) * step).Seconds(), r, strings.Repeat("#", int(r/most*width+0.5)))
	}
}

// A Panel is one of the charts of a drawing.
type Panel struct {
	Title string
	// Rates are one each Step, all below Top.
	Rates []float64
	Step  time.Duration
	Top   float64
}

// The size of a panel, and of what is around its curve, in pixels.
const (
	panelWidth, panelHeight = 720, 170
	left, above, below      = 60, 30, 24
)

// Draw writes the panels as an SVG, one below the other.
func Draw(w io.Writer, panels []Panel) {
	fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n",
		panelWidth, panelHeight*len(panels))
	fmt.Fprintln(w, `<rect width="100%" height="100%" fill="white"/>`)
	for i, p := range panels {
		fmt.Fprintf(w, `<g transform="translate(0 %d)">`+"\n", i*panelHeight)
		p.draw(w)
		fmt.Fprintln(w, "</g>")
	}
	fmt.Fprintln(w, "</svg>")
}

func (p Panel) draw(w io.Writer) {
	const bottom, right = panelHeight - below, panelWidth - 10
	fmt.Fprintf(w, `<text x="%d" y="18" font-weight="bold">%s</text>`+"\n", left, p.Title)
	y := func(rate float64) float64 { return bottom - rate/p.Top*(bottom-above) }
	for i := range 3 {
		rate := p.Top * float64(i) / 2
		fmt.Fprintf(w, `<path d="M%d %.1fH%d" stroke="#ddd"/><text x="%d" y="%.1f" text-anchor="end">%.0f/s</text>`+"\n",
			left, y(rate), right, left-6, y(rate)+4, rate)
	}
	x := func(i int) float64 { return left + float64(i)/float64(len(p.Rates)-1)*(right-left) }
	var line strings.Builder
	for i, r := range p.Rates {
		fmt.Fprintf(&line, " %.1f,%.1f", x(i), y(r))
		if at := time.Duration(i) * p.Step; at%(30*time.Second) == 0 {
			fmt.Fprintf(w, `<text x="%.1f" y="%d" text-anchor="middle">%.0f s</text>`+"\n", x(i), panelHeight-6, at.Seconds())
		}
	}
	fmt.Fprintf(w, `<polyline points="%s" fill="none" stroke="#1f6feb" stroke-width="1.5"/>`+"\n", line.String()[1:])
}
