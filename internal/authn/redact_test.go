package authn

import (
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
	f.Fuzz(func(t *testing.T, before, after string) {
		if got := Redact(before + signature + after); strings.Contains(got, signature) {
			t.Errorf("Redact lets a signature through: %q", got)
		}
	})
}
