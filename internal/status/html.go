package status

import (
	"fmt"
	"html"
	"strings"
	"time"
)

// A writer makes HTML. What is not markup of ours goes through text, which is the
// only place that escapes: names of callers and issuers are other people's words.
type writer struct{ strings.Builder }

// markup writes ours.
func (w *writer) markup(s string) { w.WriteString(s) }

// text writes anybody's.
func (w *writer) text(s string) { w.WriteString(html.EscapeString(s)) }

// row writes a table's row; heads and cells are text. Each cell has its head with it,
// for where there is no room for columns.
func (w *writer) row(heads, cells []string) {
	w.markup("<tr>")
	for i, c := range cells {
		w.markup(`<td data-head="`)
		w.text(heads[i])
		w.markup(`"`)
		if c == "" || c == nothing {
			w.markup(` class="none"`)
		}
		w.markup(">")
		w.text(c)
		w.markup("</td>")
	}
	w.markup("</tr>\n")
}

// table writes a table, or says that there is nothing in it.
func (w *writer) table(none string, heads []string, rows [][]string) {
	if len(rows) == 0 {
		w.markup(`<p class="none">`)
		w.text(none)
		w.markup("</p>\n")
		return
	}
	w.markup(`<div class="scroll"><table><thead><tr>`)
	for _, h := range heads {
		w.markup("<th>")
		w.text(h)
		w.markup("</th>")
	}
	w.markup("</tr></thead><tbody>\n")
	for _, r := range rows {
		w.row(heads, r)
	}
	w.markup("</tbody></table></div>\n")
}

// nothing stands where there is nothing to say.
const nothing = "–"

// section begins a part of the page.
func (w *writer) section(id, title string) {
	w.markup(`<section id="` + id + `"><h2>`)
	w.text(title)
	w.markup("</h2>\n")
}

func (w *writer) end() { w.markup("</section>\n") }

// span says a duration as a person would: two units at most.
func span(d time.Duration) string {
	d = d.Abs()
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d m %d s", int(d.Minutes()), int(d.Seconds())%60)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h %d m", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}

// since says how long ago t was, or how far ahead it is.
func since(t, now time.Time) string {
	switch {
	case t.IsZero():
		return nothing
	case t.After(now):
		return "in " + span(t.Sub(now))
	}
	return span(now.Sub(t)) + " ago"
}
