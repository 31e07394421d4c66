package main

import (
	"fmt"
	"slices"
	"strings"
)

// The chart's measures, in pixels.
const (
	chartWidth = 760
	labelWidth = 130
	barHeight  = 18
	barStep    = 26
	axisHeight = 34
	titleSpace = 44
)

// chart is an SVG of what a request costs each proxy, as a part of bare's: a bar is
// the median, a line through its end what the rounds made of it.
func (r *results) chart() string {
	var groups []string
	height, most := 10, 1.0
	for _, s := range scenarios {
		if s.headline && r.rowOf(s.name, bareName) != nil {
			groups = append(groups, s.name)
		}
	}
	for _, c := range r.Rows {
		if slices.Contains(groups, c.Scenario) {
			most = max(most, c.Ratio.Most)
		}
	}
	scale := float64(chartWidth-labelWidth-60) / most
	var w strings.Builder
	for _, name := range groups {
		height = r.group(&w, name, height, scale)
	}
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %[1]d %[2]d" font-family="sans-serif" font-size="13">
<rect width="%[1]d" height="%[2]d" fill="#ffffff"/>
%[3]s</svg>
`, chartWidth, height, &w)
}

// group draws one scenario from y on, and returns where it ends.
func (r *results) group(w *strings.Builder, scenario string, y int, scale float64) int {
	about := scenarios[position(scenario)].about
	fmt.Fprintf(w, "<text x=\"10\" y=\"%d\" font-weight=\"bold\" fill=\"#222222\">CPU time of a request, of bare: %s</text>\n", y+22, about)
	y += titleSpace
	top := y
	for _, c := range r.Rows {
		if c.Scenario != scenario {
			continue
		}
		colour := "#9aa5b1" // others
		if c.Allocs > 0 {
			colour = "#2f6f9f" // ours
		}
		width, middle := c.Ratio.Median*scale, y+barHeight/2
		fmt.Fprintf(w, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\" fill=\"#222222\">%s</text>\n", labelWidth-8, y+14, c.Proxy)
		fmt.Fprintf(w, "<rect x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\" fill=\"%s\"/>\n", labelWidth, y, width, barHeight, colour)
		fmt.Fprintf(w, "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%[3]d\" stroke=\"#222222\"/>\n",
			labelWidth+c.Ratio.Least*scale, labelWidth+c.Ratio.Most*scale, middle)
		fmt.Fprintf(w, "<text x=\"%.1f\" y=\"%d\" fill=\"#222222\">%.2f</text>\n", labelWidth+max(width, c.Ratio.Most*scale)+6, y+14, c.Ratio.Median)
		y += barStep
	}
	at := labelWidth + wantedRatio*scale
	fmt.Fprintf(w, "<line x1=\"%.1f\" x2=\"%.1[1]f\" y1=\"%d\" y2=\"%d\" stroke=\"#b03030\" stroke-dasharray=\"4 3\"/>\n", at, top-4, y)
	fmt.Fprintf(w, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\" fill=\"#b03030\">budget %.2f</text>\n", at, y+16, wantedRatio)
	return y + axisHeight
}
