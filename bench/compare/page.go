package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Where the results are kept, and what is made of them, from the repository's
// folder on.
const (
	resultsFile = "bench/results.json"
	pageFile    = "docs/performance.md"
	chartFile   = "docs/performance.svg"
)

// Between these two lines of the page is what the bench writes.
const (
	begins = "<!-- written by make bench: what stands here is lost -->"
	ends   = "<!-- until here -->"
)

// update keeps the results of a run, and writes what is made of all that are kept.
func update(ctx context.Context, later *results) error {
	root, err := root(ctx)
	if err != nil {
		return err
	}
	r, err := readResults(filepath.Join(root, resultsFile))
	if err != nil {
		return err
	}
	if len(later.Rows) > 0 || later.Cold != nil || later.Known != nil || later.Memory != nil || later.Start != nil {
		r.merge(later)
		if err := r.write(filepath.Join(root, resultsFile)); err != nil {
			return err
		}
	}
	file := filepath.Join(root, pageFile)
	page, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	text, err := r.into(string(page))
	if err != nil {
		return err
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(root, chartFile), []byte(r.chart()), 0o644)
}

// into replaces what the bench wrote into a page before.
func (r *results) into(page string) (string, error) {
	before, rest, ok := strings.Cut(page, begins)
	_, after, ok2 := strings.Cut(rest, ends)
	if !ok || !ok2 {
		return "", errors.New(pageFile + " does not say where the figures belong")
	}
	return before + begins + "\n" + r.markdown() + ends + after, nil
}

func (r *results) markdown() string {
	var w strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&w, format+"\n", args...) }
	p("\nMeasured on %s, revision `%s`, on %s.\n", r.When, r.Revision, r.Machine)
	p("![CPU time of a request as a part of what it costs a bare reverse proxy](performance.svg)\n")
	for _, name := range []string{"one", "rate"} {
		if i := position(name); r.rowOf(name, bareName) != nil {
			p("### %s\n", capital(scenarios[i].about))
			r.full(p, name)
		}
	}
	r.matrix(p, "CPU time, us a request (and of bare)", func(c *row) string {
		if c.Ratio.Median == 0 {
			return fmt.Sprintf("%.0f", c.CPU)
		}
		return fmt.Sprintf("%.0f (%.2f)", c.CPU, c.Ratio.Median)
	})
	r.matrix(p, "Requests a second", func(c *row) string { return fmt.Sprintf("%.0f", c.Rate) })
	r.matrix(p, "p99, us", func(c *row) string { return fmt.Sprintf("%.0f", c.P99) })
	r.coldTable(p)
	p("### Budgets\n")
	p("| budget | | measured | |\n|---|---|---|---|")
	for _, v := range r.verdicts() {
		word := "kept"
		if !v.kept {
			word = "**broken**"
		}
		p("| %s | %s | %s | %s |", v.what, v.budget, v.measured, word)
	}
	p("")
	return w.String()
}

func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// full is all that is known of one scenario.
func (r *results) full(p func(string, ...any), scenario string) {
	p("| | CPU us | of bare | least to most | requests/s | p50 us | p99 us | p99.9 us | RSS MiB | allocations |\n" +
		"|---|---|---|---|---|---|---|---|---|---|")
	for _, c := range r.Rows {
		if c.Scenario != scenario {
			continue
		}
		allocs := ""
		if c.Allocs > 0 {
			allocs = fmt.Sprintf("%.0f", c.Allocs)
		}
		p("| %s | %.1f | %.2f | %.2f to %.2f | %.0f | %.0f | %.0f | %.0f | %s | %s |", c.Proxy, c.CPU,
			c.Ratio.Median, c.Ratio.Least, c.Ratio.Most, c.Rate, c.P50, c.P99, c.P999, mib(c.RSS), allocs)
	}
	p("")
}

// proxies are those that there are rows of, in the order of the first scenario.
func (r *results) proxies() (names []string) {
	seen := map[string]bool{}
	for _, c := range r.Rows {
		if !seen[c.Proxy] {
			seen[c.Proxy] = true
			names = append(names, c.Proxy)
		}
	}
	return names
}

// matrix is one figure of every scenario and proxy.
func (r *results) matrix(p func(string, ...any), title string, cell func(*row) string) {
	names := r.proxies()
	if len(names) == 0 {
		return
	}
	p("### %s\n", title)
	p("| | %s |\n|---|%s", strings.Join(names, " | "), strings.Repeat("---|", len(names)))
	for _, s := range scenarios {
		cells, some := []string{}, false
		for _, n := range names {
			text := ""
			if c := r.rowOf(s.name, n); c != nil {
				text, some = cell(c), true
			}
			cells = append(cells, text)
		}
		if some {
			p("| %s | %s |", s.about, strings.Join(cells, " | "))
		}
	}
	p("")
}

func (r *results) coldTable(p func(string, ...any)) {
	if len(r.Cold) == 0 {
		return
	}
	p("### 1,000 new callers within a second, ms until each is let in\n")
	p("| | p50 | p99 | the last | TokenReviews |\n|---|---|---|---|---|")
	for _, e := range r.Cold {
		p("| %s | %.0f | %.0f | %.0f | %d |", e.Proxy, e.P50, e.P99, e.Last, e.Reviews)
	}
	p("")
}
