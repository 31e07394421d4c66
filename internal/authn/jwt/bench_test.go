package jwt

import (
	"os"
	"strings"
	"testing"
)

// BenchmarkDecode is the shape of a pod's token.
func BenchmarkDecode(b *testing.B) {
	text, err := os.ReadFile("testdata/extended.token")
	if err != nil {
		b.Fatal(err)
	}
	token := strings.TrimSpace(string(text))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Decode(token); err != nil {
			b.Fatal(err)
		}
	}
}
