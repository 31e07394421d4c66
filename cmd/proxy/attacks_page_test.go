package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
)

const attacksPage = "../../docs/attacks.md"

// TestAttacksPage holds docs/attacks.md against the table that TestAttacks tries.
func TestAttacksPage(t *testing.T) {
	want := []byte(attacksText())
	if *update {
		must(t, os.WriteFile(attacksPage, want, 0o644))
		return
	}
	have, err := os.ReadFile(attacksPage)
	must(t, err)
	if !bytes.Equal(have, want) {
		t.Errorf("docs/attacks.md is not what is tried: go test ./cmd/proxy -run TestAttacksPage -update")
	}
}

const attacksIntro = `# Attacks

What was done to programs like this one, by the names of the advisories, and what
we answer. Each row is tried by ` + "`TestAttacks`" + ` against the whole gate, as
` + "`sallyport serve`" + ` wires it, with bytes that no client library would send. The page is
made from the test: ` + "`go test ./cmd/proxy -run TestAttacksPage -update`" + `.

- **We answer**: the status; "closed" where the connection is closed behind it;
  "none" where it is closed without an answer. Each row gets these, and nothing else.
- **More** are tests that try the same at more length.
- After each table the test looks at what the app got, with a reader that is stricter
  than any app's: each request ends where it should, says who calls in our words or
  is for a public path, and carries no token. Then a good caller is served, nobody
  got 500, and no part of a token is in the log or the metrics.

What the gate promises is in [../SECURITY.md](../SECURITY.md).
`

func attacksText() string {
	var b strings.Builder
	b.WriteString(attacksIntro)
	for _, c := range campaigns() {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n| attack | sent | we answer | more |\n|---|---|---|---|\n", c.title, c.intro)
		for _, a := range c.rows {
			fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", cell(a.name), orDash(cell(a.sent)), cell(a.answer()), orDash(codes(a.proofs)))
		}
	}
	return b.String()
}

// answer is a cell.
func (a attempt) answer() string {
	if a.unconcerned != "" {
		return "does not concern us: " + a.unconcerned
	}
	text := strings.Join(a.wants, "; ")
	if text != "" && a.then != "" {
		text += ". "
	}
	if a.then != "" {
		text += strings.ToUpper(a.then[:1]) + a.then[1:]
	}
	return text
}

func codes(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return "`" + strings.Join(names, "` `") + "`"
}

// cell keeps text from being read as the table's own.
func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }

func orDash(text string) string {
	if text == "" {
		return "–"
	}
	return text
}
