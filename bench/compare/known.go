package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strconv"
	"strings"
)

// A decision is what it takes to decide about a known token: its header read, the
// decision found.
type decision struct {
	Nanoseconds, Allocs float64
	Bytes               float64 // of the token
}

// knownToken runs the benchmark that is in the program's own package, as it needs
// what run.go wires.
func (b *bench) knownToken(ctx context.Context, out io.Writer) (*decision, error) {
	root, err := root(ctx)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, "go", "test", "-run=^$", "-bench=^BenchmarkKnownToken$", "-benchmem", "-count=5", "./cmd/proxy")
	cmd.Dir = root
	text, err := cmd.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("go test: %w\n%s", err, text)
	}
	var ns, allocs, size []float64
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		for i := 1; i < len(f) && strings.HasPrefix(f[0], "BenchmarkKnownToken"); i++ {
			v, err := strconv.ParseFloat(f[i-1], 64)
			if err != nil {
				continue
			}
			switch f[i] {
			case "ns/op":
				ns = append(ns, v)
			case "allocs/op":
				allocs = append(allocs, v)
			case "token-bytes":
				size = append(size, v)
			}
		}
	}
	if len(ns) == 0 || len(allocs) == 0 || len(size) == 0 {
		return nil, errors.New("the benchmark printed no figures:\n" + string(text))
	}
	// Whatever else the machine does can only add.
	d := &decision{Nanoseconds: slices.Min(ns), Allocs: slices.Max(allocs), Bytes: slices.Max(size)}
	fmt.Fprintf(out, "a known token of %.0f bytes is decided about in %.2f us with %.0f allocations\n", d.Bytes, d.Nanoseconds/1000, d.Allocs)
	return d, nil
}

// root is the repository's folder.
func root(ctx context.Context) (string, error) {
	dir, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "sallyport").Output()
	return strings.TrimSpace(string(dir)), err
}
