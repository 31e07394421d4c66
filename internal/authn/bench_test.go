package authn

import (
	"net/http"
	"strings"
	"testing"
)

func BenchmarkBearerToken(b *testing.B) {
	h := http.Header{"Authorization": {"Bearer " + strings.Repeat("t", 1062)}} // a real one's length
	b.ReportAllocs()
	for b.Loop() {
		if _, err := BearerToken(h); err != nil {
			b.Fatal(err)
		}
	}
}
