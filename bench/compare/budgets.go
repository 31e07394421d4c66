package main

import (
	"fmt"
	"io"
)

// A verdict is one budget, and what was measured.
type verdict struct {
	what, budget, measured string
	kept                   bool
}

const (
	mebi = 1 << 20
	// wantedRatio is what HAProxy with jwt_verify costs of bare.
	wantedRatio = 0.68
)

// verdicts returns those that there are figures for.
func (r *results) verdicts() (all []verdict) {
	say := func(what, format string, budget, measured float64, kept bool) {
		all = append(all, verdict{what, fmt.Sprintf(format, budget), fmt.Sprintf(format, measured), kept})
	}
	most := func(what, format string, budget, measured float64) {
		say(what, "at most "+format, budget, measured, measured <= budget)
		all[len(all)-1].measured = fmt.Sprintf(format, measured)
	}
	ours, rival := r.rowOf("one", headName), r.rowOf("one", rivalName)
	if ours != nil && ours.Ratio.Median > 0 {
		most("CPU a request, of bare, closed loop", "%.2f", wantedRatio, ours.Ratio.Median)
	}
	if ours != nil && rival != nil {
		say("requests a second, more than HAProxy", "%.0f", rival.Rate, ours.Rate, ours.Rate > rival.Rate)
	}
	if ours, bare := r.rowOf("rate", headName), r.rowOf("rate", bareName); ours != nil && bare != nil {
		most("CPU a request, of bare, fixed rate", "%.2f", wantedRatio, ours.Ratio.Median)
		most("p99 at the fixed rate, no worse than bare", "%.0f us", bare.P99, ours.P99)
	}
	if k := r.Known; k != nil {
		most("a known token decided", "%.2f us", 1.5, k.Nanoseconds/1000)
		most("allocations for it", "%.0f", 2, k.Allocs)
	}
	if m := r.Memory; m != nil {
		most("RSS idle (aim: 16)", "%.1f MiB", 18, float64(m.Idle)/mebi)
		most("RSS under load, the peak", "%.1f MiB", 30, float64(m.LoadPeak)/mebi)
		most("RSS after a million bad tokens", "%.1f MiB", 40, float64(m.Garbage)/mebi)
	}
	if s := r.Start; s != nil {
		most("the stripped program", "%.2f MB", 25, float64(s.Bytes)/1e6)
		most("start to ready, the API server's part included", "%.0f ms", 150, s.Median)
	}
	return all
}

// judge prints the verdicts, and reports whether all budgets are kept.
func (r *results) judge(w io.Writer) (kept bool) {
	kept = true
	for _, v := range r.verdicts() {
		word := "kept"
		if !v.kept {
			word, kept = "BROKEN", false
		}
		fmt.Fprintf(w, "%-7s %-50s %-18s measured %s\n", word, v.what, v.budget, v.measured)
	}
	return kept
}
