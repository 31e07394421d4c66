package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"sallyport/bench/gate"
)

// unobservedName stands for a program that is built from the source, but counts no
// requests and logs none, to tell what that costs.
const unobservedName = "unobserved"

// observing are the functions that a request is counted and logged by, and that look at
// the clock for that. In an unobserved program they return at once.
var observing = map[string][]string{
	"cmd/proxy/decide.go":          {"Decided: func("},
	"internal/connlimit/server.go": {"func (l *Limit) count("},
	"internal/proxy/exchange.go":   {"func (x *exchange) decide("},
	"internal/proxy/ledger.go":     {"func (l *Ledger) add("},
	"internal/proxy/requestlog.go": {"func (l *requestLog) add(", "func (x *exchange) done("},
}

// buildUnobserved is a builder of that program.
func buildUnobserved(ctx context.Context, dir string, flags ...string) (string, error) {
	root, err := root(ctx)
	if err != nil {
		return "", err
	}
	files := map[string]string{}
	for name, functions := range observing {
		source, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			return "", err
		}
		if files[name], err = silenced(string(source), functions); err != nil {
			return "", fmt.Errorf("%s: %w", name, err)
		}
	}
	return buildWith(ctx, dir, files, flags...)
}

// silenced returns a source in which the functions that begin so return at once.
func silenced(source string, functions []string) (string, error) {
	for _, f := range functions {
		before, after, ok := strings.Cut(source, f)
		signature, body, whole := strings.Cut(after, "{\n")
		if !ok || !whole || strings.Contains(after, f) {
			return "", fmt.Errorf("it has not one %q", f)
		}
		source = before + f + signature + "{\nif true { return }\n" + body
	}
	return source, nil
}

// buildWith builds Sallyport into dir with other files in place of its own, or beside
// them, by their paths in the repository.
func buildWith(ctx context.Context, dir string, files map[string]string, flags ...string) (string, error) {
	root, err := root(ctx)
	if err != nil {
		return "", err
	}
	replace := map[string]string{}
	for name, source := range files {
		file := filepath.Join(dir, strings.ReplaceAll(name, "/", "-"))
		if err := os.WriteFile(file, []byte(source), 0o600); err != nil {
			return "", err
		}
		replace[filepath.Join(root, name)] = file
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	list := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(list, overlay, 0o600); err != nil {
		return "", err
	}
	return gate.Build(ctx, dir, append(flags, "-overlay="+list)...)
}
