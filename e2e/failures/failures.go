// Package failures finds in what tests print what is worth printing again.
package failures

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// most is how many lines of a failed test are said again: what a CI shows of a
// run is often no more than its end.
const most = 40

// An Output is what tests print that run with -test.v.
type Output struct {
	current string // the test at the top that speaks
	lines   map[string][]string
	failed  []string
}

// Add takes the next line.
func (o *Output) Add(line string) {
	switch words := strings.Fields(line); {
	case len(words) < 3:
	case words[0] == "===": // RUN, CONT, PAUSE, NAME
		o.current, _, _ = strings.Cut(words[2], "/")
	case strings.HasPrefix(line, "--- "): // of a test at the top
		o.current = words[2]
		if words[1] == "FAIL:" {
			o.failed = append(o.failed, o.current)
		}
	}
	if o.lines == nil {
		o.lines = map[string][]string{}
	}
	lines := append(o.lines[o.current], line)
	o.lines[o.current] = lines[max(0, len(lines)-most):]
}

// Say writes again the last lines of each test that failed or, where none did,
// of what was said last: a program that ended early, or a panic. Each begins with
// who ran it.
func (o *Output) Say(w io.Writer, who string) {
	if len(o.failed) == 0 {
		o.failed = []string{o.current}
	}
	slices.Sort(o.failed)
	for _, name := range slices.Compact(o.failed) {
		fmt.Fprintf(w, "\n%s: %s failed:\n", who, name)
		for _, line := range o.lines[name] {
			fmt.Fprintln(w, line)
		}
	}
}
