package authn

import (
	"regexp"
	"strings"
	"testing"
)

func TestRedact(t *testing.T) {
	word := strings.Repeat("aZ0-_.", 14)[:maxWord]
	long := word + "b"
	for _, tc := range []struct{ in, want string }{
		{"", ""},
		{`Post "https://10.0.0.1:443/apis": dial tcp: refused`, `Post "https://10.0.0.1:443/apis": dial tcp: refused`},
		{word, word},
		{long, "[...]"},
		{long + long, "[...]"},
		{"x " + long + " y", "x [...] y"},
		{"/" + long + "/" + word + "/" + long, "/[...]/" + word + "/[...]"},
		{long + "/", "[...]/"},
		{"%2e" + long, "%[...]"},
		{"\xff" + long + "\x00", "\xff[...]\x00"},
		{strings.Repeat("é", maxWord), strings.Repeat("é", maxWord)},
		{word + " " + word, word + " " + word},
	} {
		if got := Redact(tc.in); got != tc.want {
			t.Errorf("Redact(%q) = %q, want %q", tc.in, got, tc.want)
		}
	}
}

// Whatever stands around it, no signature comes through.
func FuzzRedact(f *testing.F) {
	signature := strings.Repeat("SiGnAtUrE-_0", 8)[:86] // as long as ES256's
	f.Add("", "")
	f.Add("/a.b", "?q=é\x00")
	f.Add(strings.Repeat("a", maxWord)+" "+strings.Repeat("b", maxWord+1)+"/", "/"+strings.Repeat("-", maxWord))
	f.Fuzz(func(t *testing.T, before, after string) {
		in := before + signature + after
		got := Redact(in)
		if strings.Contains(got, signature) {
			t.Errorf("Redact lets a signature through: %q", got)
		}
		if want := longWord.ReplaceAllString(in, "[...]"); got != want {
			t.Errorf("Redact(%q) = %q, want %q", in, got, want)
		}
	})
}

// longWord says in other words what Redact takes away, and that it takes away
// nothing else.
var longWord = regexp.MustCompile(`[A-Za-z0-9_.-]{81,}`)
