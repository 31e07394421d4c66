package failures

import (
	"strings"
	"testing"
)

func TestSay(t *testing.T) {
	const passed = "=== RUN   TestA\n    a_test.go:1: well\n--- PASS: TestA (0.00s)\n"
	const failed = "=== RUN   TestB\n=== RUN   TestB/one\n    b_test.go:1: bad\n--- FAIL: TestB (0.00s)\n    --- FAIL: TestB/one (0.00s)\n"
	for name, tc := range map[string]struct{ in, want string }{
		"one failed": {passed + failed + passed + "FAIL\n", "\nme: TestB failed:\n" + failed},
		"at the same time": {
			"=== RUN   TestB\n=== PAUSE TestB\n=== RUN   TestA\n=== CONT  TestB\n    bad\n=== NAME  TestA\n    well\n--- FAIL: TestB (0.00s)\n--- PASS: TestA (0.00s)\n",
			"\nme: TestB failed:\n=== RUN   TestB\n=== PAUSE TestB\n=== CONT  TestB\n    bad\n--- FAIL: TestB (0.00s)\n",
		},
		"a panic":  {passed + "=== RUN   TestC\npanic: no\n", "\nme: TestC failed:\n=== RUN   TestC\npanic: no\n"},
		"the last": {"=== RUN   TestB\n" + strings.Repeat("x\n", most) + "--- FAIL: TestB (0.00s)\n", "\nme: TestB failed:\n" + strings.Repeat("x\n", most-1) + "--- FAIL: TestB (0.00s)\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var o Output
			for line := range strings.Lines(tc.in) {
				o.Add(strings.TrimSuffix(line, "\n"))
			}
			var b strings.Builder
			o.Say(&b, "me")
			if b.String() != tc.want {
				t.Errorf("got:\n%s\nwant:\n%s", b.String(), tc.want)
			}
		})
	}
}
