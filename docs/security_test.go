package docs

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Each promise in SECURITY.md has a proof, and each proof is a test that exists.
func TestPromises(t *testing.T) {
	text := read(t, "../SECURITY.md")
	proofs := regexp.MustCompile("`([\\w/]+)\\.((?:Test|Fuzz)\\w+)`").FindAllStringSubmatch(text, -1)
	for _, p := range proofs {
		if !hasTest(t, filepath.Join("..", p[1]), p[2]) {
			t.Errorf("%s has no %s", p[1], p[2])
		}
	}
	if named := regexp.MustCompile(`\b(?:Test|Fuzz)[A-Z]\w*`).FindAllString(text, -1); len(named) != len(proofs) {
		t.Errorf("%d tests are named, and %d of them with their package", len(named), len(proofs))
	}
	_, table, _ := strings.Cut(text, "| promise | proof |\n|---|---|\n")
	promises := strings.Split(strings.TrimSpace(table), "\n")
	if len(promises) < 15 {
		t.Errorf("only %d promises were found", len(promises))
	}
	for _, p := range promises {
		if !regexp.MustCompile("^\\| .+ \\| `[^|]+` \\|$").MatchString(p) {
			t.Errorf("a promise without a proof: %s", p)
		}
	}
}

// So has each attack that another test has more of.
func TestAttackProofs(t *testing.T) {
	proofs := regexp.MustCompile("`([\\w/]+)\\.((?:Test|Fuzz)\\w+)`").FindAllStringSubmatch(read(t, "attacks.md"), -1)
	if len(proofs) < 50 {
		t.Errorf("only %d proofs were found", len(proofs))
	}
	for _, p := range proofs {
		if !hasTest(t, filepath.Join("..", p[1]), p[2]) {
			t.Errorf("%s has no %s", p[1], p[2])
		}
	}
}

// hasTest looks in the sources, as the tests of e2e are in no build of this one.
func hasTest(t *testing.T, dir, name string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	declared := regexp.MustCompile(`(?m)^func ` + name + `\(\w+ \*testing\.[TF]\)`)
	for _, f := range files {
		if declared.MatchString(read(t, f)) {
			return true
		}
	}
	return false
}
