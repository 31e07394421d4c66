package scenarios

import (
	"context"
	"flag"
	"fmt"
	"os/exec"
	"strings"
)

// A kind is what a test needs, and is told by its name.
type kind string

const (
	own      kind = "TestOwn"  // a cluster that it may break
	slowly   kind = "TestSlow" // any cluster, and patience
	anywhere kind = "Test"     // any cluster
)

func kindOf(test string) kind {
	for _, k := range []kind{own, slowly} {
		if strings.HasPrefix(test, string(k)) {
			return k
		}
	}
	return anywhere
}

// chosen returns the tests that -run names, by kind: those that -slow asks for.
func chosen(ctx context.Context) (map[kind][]string, error) {
	// What stands behind the slash are tests within tests.
	pattern, _, _ := strings.Cut(flag.Lookup("test.run").Value.String(), "/")
	if pattern == "" {
		pattern = "."
	}
	out, err := exec.CommandContext(ctx, "/proc/self/exe", "-test.list="+pattern).Output()
	if err != nil {
		return nil, fmt.Errorf("list the tests: %w", err)
	}
	tests := map[kind][]string{}
	for name := range strings.Lines(string(out)) {
		name = strings.TrimSpace(name)
		if k := kindOf(name); strings.HasPrefix(name, "Test") && *slow == (k == slowly) {
			tests[k] = append(tests[k], name)
		}
	}
	return tests, nil
}

// only makes the value of -run by which go test runs these tests alone.
func only(tests []string) string {
	_, within, nested := strings.Cut(flag.Lookup("test.run").Value.String(), "/")
	run := "^(" + strings.Join(tests, "|") + ")$"
	if nested {
		run += "/" + within
	}
	return run
}
