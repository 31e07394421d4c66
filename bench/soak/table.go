package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

const format = "%5s  %-20s %6s %9s %6s %7s %7s %8s %8s %7s %6s  %s\n"

func head(w io.Writer) {
	fmt.Fprintf(w, format, "cycle", "phase", "calls", "explained", "failed",
		"gorout.", "descr.", "threads", "heap MiB", "RSS MiB", "tokens", "at rest after; other answers than 200")
}

// print is the row of a phase; a nil l is for one without a rest.
func (s *soak) print(cycle int, p phase, seen map[string]tally, l *level, rested time.Duration) {
	calls, explained, failed := p.judge(seen)
	var others []string
	for _, role := range slices.Sorted(maps.Keys(seen)) {
		t := maps.Clone(seen[role])
		delete(t, "200")
		if len(t) > 0 {
			others = append(others, fmt.Sprintf("%s %v", role, t))
		}
	}
	cells := []any{fmt.Sprint(cycle), p.name, fmt.Sprint(calls), fmt.Sprint(explained), fmt.Sprint(failed)}
	if l == nil {
		cells = append(cells, "", "", "", "", "", "")
	} else {
		cells = append(cells, fmt.Sprint(l.goroutines), fmt.Sprint(l.files), fmt.Sprint(l.threads),
			fmt.Sprintf("%.2f", mib(l.heap)), fmt.Sprintf("%.1f", mib(l.rss)), fmt.Sprint(l.tokens))
	}
	fmt.Fprintf(s.out, format, append(cells, fmt.Sprintf("%.1f s; %s", rested.Seconds(), strings.Join(others, ", ")))...)
	if failed > 0 {
		s.flat.say("during %s: %d calls failed, which it does not explain", p.name, failed)
	}
	for _, name := range silent(seen) {
		s.flat.say("during %s: nobody called as %s", p.name, name)
	}
}

// judge counts the calls, those that failed for a reason, and those that failed
// without.
func (p phase) judge(seen map[string]tally) (calls, explained, failed int) {
	for role, t := range seen {
		for got, n := range t {
			calls += n
			switch {
			case got == "200":
			case slices.Contains(p.everybody, got), role == "new" && slices.Contains(p.newcomers, got):
				explained += n
			default:
				failed += n
			}
		}
	}
	return calls, explained, failed
}

// silent are the roles that nobody played.
func silent(seen map[string]tally) (names []string) {
	for _, r := range (&ground{}).roles() {
		if len(seen[r.name]) == 0 {
			names = append(names, r.name)
		}
	}
	return names
}

// verdict is the end of it.
func (s *soak) verdict(took time.Duration) error {
	s.flat.trend()
	if files, goroutines, threads, heap, ok := s.flat.grown(); ok {
		fmt.Fprintf(s.out, "\nfrom the first cycle to the last, in the middle of all phases: %+d descriptors, %+d goroutines, %+d threads, %+.2f MiB of heap beside tokens\n",
			files, goroutines, threads, mib(heap))
	}
	for _, b := range s.flat.broken {
		fmt.Fprintf(s.out, "BROKEN: %s\n", b)
	}
	if len(s.flat.broken) > 0 {
		return errBroken
	}
	fmt.Fprintf(s.out, "flat for %v\n", took.Round(time.Second))
	return nil
}
