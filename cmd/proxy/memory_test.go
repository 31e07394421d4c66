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
		remembered           int
		line                 string
	}{
		{"the container's", "", "134217728", 107374183, 16 << 20, `"container":134217728,"GOMEMLIMIT":107374183`},
		{"a small one", "", "16777216", 16 << 20, 2796202, `"container":16777216,"GOMEMLIMIT":16777216`},
		{"a smaller one than most", "", "67108864", 53687092, 8947848, `"container":67108864,"GOMEMLIMIT":53687092`},
		{"none", "", "max", untouched, 16 << 20, "as the container has none"},
		{"the operator's", "50MiB", "134217728", untouched, 16 << 20, `"GOMEMLIMIT":"50MiB"`},
		{"off", "off", "134217728", untouched, 16 << 20, `"GOMEMLIMIT":"off"`},
		{"not to be read", "", "?", untouched, 16 << 20, `"level":"warn"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Setenv("GOMEMLIMIT", tc.env)
			before := debug.SetMemoryLimit(untouched)
			defer debug.SetMemoryLimit(before)
			var out bytes.Buffer
			log, _, err := telemetry.NewLogger("info", "json", &out)
			must(t, err)
			say := limitMemory(fstest.MapFS{
				"proc/self/cgroup":         {Data: []byte("0::/\n")},
				"sys/fs/cgroup/memory.max": {Data: []byte(tc.container + "\n")},
			})
			say(log)
			if got := debug.SetMemoryLimit(-1); got != tc.limit {
				t.Errorf("the limit is %d, want %d", got, tc.limit)
			}
			if got := rememberedBytes(); got != tc.remembered {
				t.Errorf("%d bytes for tokens, want %d", got, tc.remembered)
			}
			if line := out.String(); strings.Count(line, "\n") != 1 || !strings.Contains(line, tc.line) {
				t.Errorf("log: %s\nwant one line with %s", line, tc.line)
			}
		})
	}
}
