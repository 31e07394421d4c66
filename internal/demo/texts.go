package demo

import (
	"fmt"
	"strings"
	"time"
)

func (w *world) welcome() {
	w.story.print(w.story.paint(bold, "Sallyport: a gate that proves who is calling"))
	w.story.print("A cluster, an app, the gate before it and its callers, all in this process, on loopback.")
	w.story.print("Tokens live for seconds here, so that you see them change.")
	w.story.gap()
}

// summary prints the table, and reports whether all was as expected, the steady
// client's requests included.
func (w *world) summary(outcomes []outcome, steady tally, took time.Duration) (good bool) {
	rows := [][]string{{"", "scene", "expected", "came", "took"}}
	for i, o := range outcomes {
		rows = append(rows, []string{fmt.Sprintf("%2d", i+1), o.name, o.expect, o.came, seconds(o.took)})
	}
	width := widths(rows)
	w.story.gap()
	w.story.print(w.story.paint(bold, row(rows[0], width)))
	wrong := 0
	for i, o := range outcomes {
		mark := w.story.paint(green, "ok")
		if o.err != nil {
			wrong++
			mark = w.story.paint(red, "WRONG")
		}
		w.story.print(row(rows[i+1], width) + "  " + mark)
	}
	w.story.gap()
	if wrong == 0 && steady.err() == nil {
		w.story.print(w.story.paint(green, fmt.Sprintf("All %d scenes went as expected, in %s; %v.", len(outcomes), seconds(took), steady)))
		return true
	}
	w.story.print(w.story.paint(red, fmt.Sprintf("%d of %d scenes went other than expected; %v.", wrong, len(outcomes), steady)))
	return false
}

func widths(rows [][]string) []int {
	w := make([]int, len(rows[0]))
	for _, r := range rows {
		for i, cell := range r {
			w[i] = max(w[i], len(cell))
		}
	}
	return w
}

func row(cells []string, width []int) string {
	padded := make([]string, len(cells))
	for i, c := range cells {
		padded[i] = fmt.Sprintf("%-*s", width[i], c)
	}
	return strings.Join(padded, "  ")
}

// invite says what can be tried by hand, in lines that work as they stand. Tokens
// are read from their file: they change, and none is ever shown.
func (w *world) invite(d time.Duration) {
	url := "http://" + w.gate.Data
	flags := "$(cat " + w.flags + ")"
	s := w.story
	until := "until Ctrl-C"
	if d > 0 {
		until = "for " + d.String()
	}
	s.gap()
	s.print(s.paint(bold, "Try it by hand, in another terminal, "+until+"; tokens go on rotating"))
	for _, l := range [][2]string{
		{"who the app sees", fmt.Sprintf(`curl -H "Authorization: Bearer $(cat %s)" %s/hello`, w.caller.Path(), url)},
		{"without a token", "curl -i " + url + "/hello"},
		{"see how it does", "http://" + w.gate.Debug + "/"},
		{"is all well", w.program + " doctor " + flags},
		{"why a token fails", w.program + " explain " + flags + " < " + w.own.Path()},
		{"what a token is", w.program + " inspect " + w.caller.Path()},
		{"log each request", w.program + " log-level debug --debug-listen " + w.gate.Debug},
		{"its log", "tail -f " + w.log},
		{"its metrics", "curl http://" + w.gate.Admin + "/metrics"},
		{"is it ready", "curl http://" + w.gate.Admin + "/readyz"},
		{"its flags", "cat " + w.flags},
	} {
		if l[0] == "its log" && w.log == "" {
			continue
		}
		s.print("  " + s.paint(dim, fmt.Sprintf("%-20s", l[0])) + l[1])
	}
	s.gap()
}
