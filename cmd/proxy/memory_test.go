package main

import (
	"bytes"
	"math"
	"runtime/debug"
	"strings"
	"testing"
	"testing/fstest"

	"sallyport/internal/telemetry"
)

func TestMemoryLimit(t *testing.T) {
	const untouched = math.MaxInt64
	for _, tc := range []struct {
		name, env, container string
		limit                int64
		line                 string
	}{
		{"the container's", "", "134217728", 107374183, `"container":134217728,"GOMEMLIMIT":107374183`},
		{"a small one", "", "16777216", 16 << 20, `"container":16777216,"GOMEMLIMIT":16777216`},
		{"none", "", "max", untouched, "as the container has none"},
		{"the operator's", "50MiB", "134217728", untouched, `"GOMEMLIMIT":"50MiB"`},
		{"off", "off", "134217728", untouched, `"GOMEMLIMIT":"off"`},
		{"not to be read", "", "?", untouched, `"level":"warn"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Setenv("GOMEMLIMIT", tc.env)
			before := debug.SetMemoryLimit(untouched)
			defer debug.SetMemoryLimit(before)
			var out bytes.Buffer
			log, _, err := telemetry.NewLogger("info", "json", &out)
			must(t, err)
			limitMemory(fstest.MapFS{
				"proc/self/cgroup":         {Data: []byte("0::/\n")},
				"sys/fs/cgroup/memory.max": {Data: []byte(tc.container + "\n")},
			}, log)
			if got := debug.SetMemoryLimit(-1); got != tc.limit {
				t.Errorf("the limit is %d, want %d", got, tc.limit)
			}
			if line := out.String(); strings.Count(line, "\n") != 1 || !strings.Contains(line, tc.line) {
				t.Errorf("log: %s\nwant one line with %s", line, tc.line)
			}
		})
	}
}
