package main

import (
	"fmt"
	"io"
)

const format = "%-16s %7s %7s %13s %8s %8s %8s %8s %8s %7s\n"

func head(w io.Writer) {
	fmt.Fprintf(w, format, "", "us CPU", "of bare", "least - most", "req/s", "p50 us", "p99", "p99.9", "RSS MiB", "allocs")
}

func (r *row) print(w io.Writer) {
	ratio, spread, allocs := "-", "-", "-"
	if r.Ratio.Median > 0 {
		ratio, spread = fmt.Sprintf("%.2f", r.Ratio.Median), fmt.Sprintf("%.2f - %.2f", r.Ratio.Least, r.Ratio.Most)
	}
	if r.Allocs > 0 {
		allocs = fmt.Sprintf("%.0f", r.Allocs)
	}
	fmt.Fprintf(w, format, r.Proxy, fmt.Sprintf("%.0f", r.CPU), ratio, spread, fmt.Sprintf("%.0f", r.Rate),
		fmt.Sprintf("%.0f", r.P50), fmt.Sprintf("%.0f", r.P99), fmt.Sprintf("%.0f", r.P999), mib(r.RSS), allocs)
}

func mib(n int64) string { return fmt.Sprintf("%.1f", float64(n)/(1<<20)) }
