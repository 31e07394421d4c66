package main

import (
	"fmt"
	"io"
	"slices"
	"time"
)

const format = "%-12s %-12s %-10s %9s %9s %7s %6s %8s %8s %8s %6s %8s %9s %8s %7s %7s  %s\n"

func head(w io.Writer) {
	fmt.Fprintf(w, format, "mode", "flood", "from", "flood/s", "base/s", "good", "errors",
		"p50", "p99", "base p99", "ratio", "new in", "slowest", "reviews", "fetches", "RSS MiB", "gate us/request, answers to the flood")
}

func (r *result) print(w io.Writer) {
	fmt.Fprintf(w, format, r.mode, r.kind.name, r.from,
		perSecond(r.flood.Sum(), r.floodTook), perSecond(r.base.Sum(), r.baseTook),
		fmt.Sprint(r.good.Sent), fmt.Sprint(r.good.Errors),
		ms(r.good.Quantile(0.5)), ms(r.good.Quantile(0.99)), ms(r.goodBase.Quantile(0.99)), r.mark(),
		fmt.Sprintf("%d/%d", len(r.entered), newcomers), slowest(r.entered),
		fmt.Sprintf("%d/%d", r.reviews, r.maxReviews()), fmt.Sprintf("%d/%d", r.fetches, r.maxFetches()),
		fmt.Sprintf("%.1f", float64(r.peak)/(1<<20)),
		fmt.Sprintf("%.0f, %v", float64(r.cpu.Microseconds())/float64(max(r.flood.Sum()+r.good.Sent, 1)), r.flood))
	for _, b := range r.broken() {
		fmt.Fprintf(w, "    BROKEN: %s\n", b)
	}
}

// mark is the ratio, with a star where it is not what we want.
func (r *result) mark() string {
	s := fmt.Sprintf("%.1f", r.ratio())
	if r.ratio() > wantedRatio {
		s += "*"
	}
	return s
}

func perSecond(n int, took time.Duration) string {
	return fmt.Sprintf("%.0f", float64(n)/took.Seconds())
}

func ms(d time.Duration) string {
	return fmt.Sprintf("%.2fms", float64(d.Microseconds())/1000)
}

func slowest(took []time.Duration) string {
	if len(took) == 0 {
		return "-"
	}
	return ms(slices.Max(took))
}
