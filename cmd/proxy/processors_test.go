package main

import (
	"bytes"
	"strings"
	"testing"

	"sallyport/internal/telemetry"
)

func TestProcessors(t *testing.T) {
	for _, tc := range []struct {
		env, line string
		governed  bool
	}{
		{"", `"at_most":`, true},
		{"4", `"GOMAXPROCS":"4"`, false},
	} {
		t.Setenv("GOMAXPROCS", tc.env)
		var out bytes.Buffer
		log, _, err := telemetry.NewLogger("info", "json", &out)
		must(t, err)
		if run := governProcessors(log); (run != nil) != tc.governed {
			t.Errorf("GOMAXPROCS=%s: governed %v, want %v", tc.env, run != nil, tc.governed)
		}
		if line := out.String(); strings.Count(line, "\n") != 1 || !strings.Contains(line, tc.line) {
			t.Errorf("GOMAXPROCS=%s: log: %s\nwant one line with %s", tc.env, line, tc.line)
		}
	}
}
