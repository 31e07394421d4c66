package explain

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// marks are the results of a step in a column.
var marks = map[string]string{"ok": "ok", "refused": "REFUSED", "unavailable": "NO ANSWER", "skipped": "-"}

// column is where the second column begins, and inner where that of a step's
// question does.
const (
	column = 12
	inner  = 20
)

// Text writes the report for people.
func (r *Report) Text(w io.Writer) error {
	var b strings.Builder
	for _, s := range r.Configured {
		name, values := s.Name, s.Values
		if len(values) == 0 {
			values = []string{"(none known)"}
		}
		for _, v := range values {
			fmt.Fprintf(&b, "%-*s%s\n", inner, name, safe(v))
			name = ""
		}
	}
	if q := r.Request; q != nil {
		fmt.Fprintf(&b, "%-*s%s %s: %s\n", inner, "request", safe(q.Method), safe(q.Path), safe(q.Route))
	}
	b.WriteString("\n")
	for _, s := range r.Steps {
		s.text(&b)
	}
	r.verdict(&b)
	_, err := io.WriteString(w, b.String())
	return err
}

func (s *Step) text(b *strings.Builder) {
	fmt.Fprintf(b, "%-*s%-*s%s\n", column, marks[s.Result], inner, s.Check, s.Asks)
	if s.Detail != "" {
		fmt.Fprintf(b, "%*s%s\n", column+inner, "", safe(s.Detail))
	}
	if s.Advice != "" {
		fmt.Fprintf(b, "%*s-> %s\n", column+inner, "", s.Advice)
	}
}

func (r *Report) verdict(b *strings.Builder) {
	if len(r.Steps) > 0 {
		b.WriteString("\n")
	}
	switch r.Verdict {
	case Accepted:
		fmt.Fprintf(b, "Accepted, with the reason %s: the request goes to the app.\n", r.Reason)
	case Refused:
		fmt.Fprintf(b, "Refused: %d, with the reason %s.\n", r.Status, r.Reason)
	default:
		fmt.Fprintf(b, "Undecided: %d, with the reason %s. That says nothing about the token.\n", r.Status, r.Reason)
	}
	if r.Told != "" {
		fmt.Fprintf(b, "The caller is told: %s.\n", r.Told)
	}
	switch advice := strings.TrimSuffix(r.Advice, "."); {
	case advice == "":
	case r.Verdict == Accepted:
		fmt.Fprintf(b, "The caller is warned: %s.\n", advice)
	default:
		fmt.Fprintf(b, "What would change that: %s.\n", advice)
	}
	if c := r.Caller; c != nil {
		fmt.Fprintf(b, "The app sees %s, uid %q, of the groups %s.\n", safe(c.Subject), c.UID, safe(strings.Join(c.Groups, ", ")))
		for _, name := range slices.Sorted(maps.Keys(c.Extra)) {
			fmt.Fprintf(b, "  %s: %s\n", safe(name), safe(strings.Join(c.Extra[name], ", ")))
		}
	}
}

// JSON writes the report for programs.
func (r *Report) JSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// safe makes what somebody else wrote fit for a terminal.
func safe(s string) string {
	if strings.ContainsFunc(s, func(c rune) bool { return !unicode.IsGraphic(c) || c == unicode.ReplacementChar }) {
		return strconv.QuoteToGraphic(s)
	}
	return s
}
