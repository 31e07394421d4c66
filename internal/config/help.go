package config

import (
	"fmt"
	"strings"
)

// column is where the texts of the help begin, and width where they end: a
// terminal has 80 columns.
const (
	column = 30
	width  = 79
)

const usage = `Usage: sallyport serve --audience NAME [flags]

Lets in who proves to be a caller with a token, and hands them to the app.

  sallyport serve --audience orders.shop.svc --upstream http://127.0.0.1:8080 \
    --tls-cert-file /tls/tls.crt --tls-key-file /tls/tls.key

`

// Help returns what serve's flags are: the common ones on one screen of 24
// lines, or all, by topic, with their defaults.
func Help(all bool) string {
	var b strings.Builder
	b.WriteString(usage)
	if !all {
		for _, s := range settings {
			if s.common {
				s.print(&b, s.help)
			}
		}
		b.WriteString("\nEvery flag, with its default: sallyport serve --help=all\n")
		return b.String()
	}
	group := ""
	for _, s := range settings {
		if s.group != group {
			group = s.group
			fmt.Fprintf(&b, "%s\n", group)
		}
		s.print(&b, s.help+s.defaultText())
	}
	return b.String()
}

func (s setting) defaultText() string {
	text := s.learnt
	if text == "" && s.value != "" {
		text = s.def
	}
	if text != "" {
		text = "default: " + text
	}
	if s.repeat {
		text = strings.TrimPrefix(text+"; repeatable", "; ")
	}
	if text == "" {
		return ""
	}
	return " (" + text + ")"
}

func (s setting) print(b *strings.Builder, help string) {
	name := "  --" + s.flag
	if s.value != "" {
		name += " " + s.value
	}
	line := fmt.Sprintf("%-*s", column-1, name)
	if len(line) >= column {
		b.WriteString(line + "\n")
		line = strings.Repeat(" ", column-1)
	}
	for word := range strings.FieldsSeq(help) {
		if len(line)+1+len(word) > width {
			b.WriteString(line + "\n")
			line = strings.Repeat(" ", column-1)
		}
		line += " " + word
	}
	b.WriteString(line + "\n")
}
