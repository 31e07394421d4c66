// Package doctor says what is the matter with a gate's surroundings, and how to
// mend it: our own token, the API server, rights, keys, the app, the certificate.
//
// What is looked at is handed in; here is what the findings mean.
package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"
)

// A State is how something is.
type State string

// The states.
const (
	OK      State = "ok"
	Warning State = "warning" // it works, and should not stay so
	Failed  State = "failed"  // callers get 503, or worse is possible
	Skipped State = "skipped" // not looked at
)

// A Line is one finding.
type Line struct {
	// About is what was looked at. Run fills it in.
	About string `json:"about"`
	State State  `json:"state"`
	Text  string `json:"text"`
	// Fix is what to do, a command where there is one; "" where nothing is.
	Fix string `json:"fix,omitempty"`
}

func line(s State, format string, args ...any) Line {
	return Line{State: s, Text: fmt.Sprintf(format, args...)}
}

func (l Line) fix(format string, args ...any) Line {
	l.Fix = fmt.Sprintf(format, args...)
	return l
}

// Skip is a line about what was not looked at, and why.
func Skip(why string) Line { return line(Skipped, "%s", why) }

// A Check looks at one thing.
type Check struct {
	About string
	Look  func(context.Context) []Line
}

// Each bounds a check: the longest is a review, which takes two calls of 3 s at
// most. All are made side by side, so it bounds the whole too.
const Each = 8 * time.Second

// Run makes the checks side by side, and returns their lines in order. One that
// has no answer in time has failed.
func Run(ctx context.Context, checks []Check) []Line {
	ctx, cancel := context.WithTimeout(ctx, Each)
	defer cancel()
	found := make([][]Line, len(checks))
	var all sync.WaitGroup
	for i, c := range checks {
		all.Go(func() { found[i] = c.look(ctx) })
	}
	all.Wait()
	var lines []Line
	for _, some := range found {
		lines = append(lines, some...)
	}
	return lines
}

// look does not wait for a check that does not heed its context.
func (c Check) look(ctx context.Context) []Line {
	done := make(chan []Line, 1)
	go func() { done <- c.Look(ctx) }()
	var lines []Line
	select {
	case lines = <-done:
	case <-ctx.Done():
		lines = []Line{line(Failed, "no answer within %v", Each).fix("look at whatever it asks: see the other lines")}
	}
	for i := range lines {
		lines[i].About = c.About
	}
	return lines
}

// Failures counts the lines that say so.
func Failures(lines []Line) (n int) {
	for _, l := range lines {
		if l.State == Failed {
			n++
		}
	}
	return n
}

var marks = map[State]string{OK: "ok", Warning: "warning", Failed: "FAILED", Skipped: "-"}

// Text writes the lines for people.
func Text(w io.Writer, lines []Line) error {
	var b strings.Builder
	count := map[State]int{}
	for _, l := range lines {
		count[l.State]++
		fmt.Fprintf(&b, "%-9s%-16s%s\n", marks[l.State], safe(l.About), safe(l.Text))
		if l.Fix != "" {
			fmt.Fprintf(&b, "%25sfix: %s\n", "", safe(l.Fix))
		}
	}
	fmt.Fprintf(&b, "\n%d failed, %d to be warned of, %d well\n", count[Failed], count[Warning], count[OK])
	_, err := io.WriteString(w, b.String())
	return err
}

// JSON writes the lines for programs.
func JSON(w io.Writer, lines []Line) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(struct {
		Failed int    `json:"failed"`
		Lines  []Line `json:"lines"`
	}{Failures(lines), lines})
}

// safe makes what a server wrote fit for a terminal.
func safe(s string) string {
	if strings.ContainsFunc(s, func(c rune) bool { return !unicode.IsGraphic(c) || c == unicode.ReplacementChar }) {
		return strconv.QuoteToGraphic(s)
	}
	return s
}
