// Package docs has no code: its tests hold the pages against the program.
package docs

import (
	"flag"
	"fmt"
	"io/fs"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"sallyport/internal/authn"
	"sallyport/internal/config"
	"sallyport/internal/telemetry"
)

var update = flag.Bool("update", false, "write the parts of pages that are made here")

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// rows returns the lines of a page's tables by their first cell, which is one
// word of code.
func rows(t *testing.T, page string) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([^` ]+)` \\|(.*)$").FindAllStringSubmatch(page, -1) {
		if found[m[1]] != "" {
			t.Errorf("%s is explained twice", m[1])
		}
		found[m[1]] = m[2]
	}
	return found
}

// block returns the first fenced block of that kind.
func block(t *testing.T, page, kind string) string {
	t.Helper()
	_, rest, _ := strings.Cut(page, "```"+kind+"\n")
	text, _, ok := strings.Cut(rest, "```")
	if !ok {
		t.Fatalf("there is no %s block", kind)
	}
	return text
}

func TestReasons(t *testing.T) {
	page := rows(t, read(t, "reasons.md"))
	for _, r := range authn.Reasons {
		row, ok := page[string(r)]
		delete(page, string(r))
		if !ok {
			t.Errorf("%s is not explained", r)
		}
		plain := authn.Reason("").Description()
		if d := r.Description(); d != plain && !strings.Contains(row, `"`+d+`"`) {
			t.Errorf("%s: the page does not say what the caller is told: %q", r, d)
		}
		words := strings.ReplaceAll(regexp.MustCompile(`\[([^]]+)\]\([^)]*\)`).ReplaceAllString(row, "$1"), "`", "")
		if a := r.Advice(); !strings.Contains(words, a) {
			t.Errorf("%s: the page does not have the advice %q", r, a)
		}
	}
	for r := range page {
		t.Errorf("%s is explained, and there is no such reason", r)
	}
}

// scrape returns the metrics of a gate that has one of everything.
func scrape() string {
	m := telemetry.New(telemetry.Options{
		OwnToken: func() telemetry.TokenState { return telemetry.TokenState{Expires: time.Now(), Loaded: time.Now()} },
		State: telemetry.State{
			InFlight:       func() int { return 0 },
			CacheEntries:   func() int { return 0 },
			CacheEvictions: func() uint64 { return 0 },
			LogDropped:     func() uint64 { return 0 },
			Connections:    func() int { return 0 },
			Streams:        func() int { return 0 },
			Away:           func() time.Time { return time.Time{} },
			CertificateEnd: time.Now,
		},
		Keys: func() []telemetry.Keys {
			return []telemetry.Keys{{Issuer: telemetry.ClusterIssuer, Fetched: time.Now()}}
		},
		Callers:          func() []telemetry.Caller { return make([]telemetry.Caller, 1) },
		ConnectionCauses: []string{"idle"},
		RequestKinds:     []string{"examining"},
		Bypass:           func() (found, known bool) { return false, true },
	})
	for _, r := range authn.Reasons {
		m.Request(200, r, "")
		m.Decision(telemetry.Accepted, r, telemetry.FromCache, 0)
	}
	m.Decision(telemetry.Refused, authn.OK, telemetry.FromLocal, 0)
	m.Decision(telemetry.Unavailable, authn.OK, telemetry.FromAPIServer, 0)
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	return w.Body.String()
}

// A metric is what a scrape says of one.
type metric struct {
	name, help, kind string
	labels           []string
}

func metrics() (all []*metric) {
	var m *metric
	for line := range strings.Lines(scrape()) {
		word := strings.SplitN(strings.TrimSpace(line), " ", 4)
		switch {
		case word[0] == "#" && word[1] == "HELP":
			m = &metric{name: word[2], help: word[3]}
			if strings.HasPrefix(m.name, "sallyport_") {
				all = append(all, m)
			}
		case word[0] == "#":
			m.kind = word[3]
		default:
			for _, l := range regexp.MustCompile(`(\w+)="`).FindAllStringSubmatch(word[0], -1) {
				if l[1] != "le" && !slices.Contains(m.labels, l[1]) {
					m.labels = append(m.labels, l[1])
				}
			}
		}
	}
	return all
}

func metricsTable() string {
	var b strings.Builder
	b.WriteString("| metric | type | labels | meaning |\n|---|---|---|---|\n")
	for _, m := range metrics() {
		labels := ""
		if len(m.labels) > 0 {
			labels = "`" + strings.Join(m.labels, "`, `") + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", m.name, m.kind, labels, m.help)
	}
	return b.String()
}

// TestMetrics holds the page's table against what a scrape says. -update writes it.
func TestMetrics(t *testing.T) {
	text := read(t, "metrics.md")
	const head = "| metric | type |"
	before, rest, ok := strings.Cut(text, head)
	table, after, ok2 := strings.Cut(head+rest, "\n\n")
	switch want := metricsTable(); {
	case !ok || !ok2:
		t.Fatal("metrics.md has no table")
	case table+"\n" == want:
	case *update:
		if err := os.WriteFile("metrics.md", []byte(before+want+"\n"+after), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("the table is not what a scrape says: go test ./docs -run TestMetrics -update")
	}
	for _, m := range regexp.MustCompile(`result="([^"]*)"`).FindAllStringSubmatch(scrape(), -1) {
		if m[1] != "other" && !strings.Contains(text, "`"+m[1]+"`") {
			t.Errorf("the result %s is not explained", m[1])
		}
	}
	// And the examples ask for what there is.
	known := map[string]bool{}
	for _, m := range metrics() {
		for _, suffix := range []string{"", "_bucket", "_sum", "_count"} {
			known[m.name+suffix] = true
		}
	}
	for _, name := range regexp.MustCompile(`sallyport_\w*[a-z]\b`).FindAllString(text, -1) {
		if !known[name] {
			t.Errorf("there is no metric %s", name)
		}
	}
}

func TestFlags(t *testing.T) {
	if got := block(t, read(t, "configuration.md"), "text"); got != config.Help(true) {
		t.Errorf("the flags are not those of serve --help=all, which are:\n%s", config.Help(true))
	}
}

// fields returns the names of all fields in YAML, block and flow style alike.
func fields(text string) (names []string) {
	text = regexp.MustCompile(`(?m)(^|\s)#.*$`).ReplaceAllString(text, "")
	for _, m := range regexp.MustCompile(`(?m)(?:^|[\s{,])(\w+):(?:\s|$)`).FindAllStringSubmatch(text, -1) {
		names = append(names, m[1])
	}
	return names
}

// The example is accepted, has every field there is, and shows the defaults
// where it says so.
func TestConfigurationFile(t *testing.T) {
	text := block(t, read(t, "configuration.md"), "yaml")
	c := load(t, text)
	have := fields(text)
	for _, f := range fields(read(t, "../internal/config/testdata/all.good.yaml")) {
		if !slices.Contains(have, f) {
			t.Errorf("the field %s is not shown", f)
		}
	}
	d := load(t, "audiences: [orders.shop.svc]\ntls: off\n")
	if c.Limits != d.Limits || c.Headers != d.Headers || c.KeyRefresh != d.KeyRefresh {
		t.Errorf("limits %+v, headers %+v and keyRefresh %+v are not the defaults", c.Limits, c.Headers, c.KeyRefresh)
	}
	if c.Recheck != d.Recheck || c.MaxStale != d.MaxStale || c.FinishStreams != d.FinishStreams || c.DrainDelay != d.DrainDelay || c.ShutdownGrace != d.ShutdownGrace ||
		c.Mode != d.Mode || c.WhenUnavailable != d.WhenUnavailable || c.Listen != d.Listen || c.TokenFile != d.TokenFile || c.Leeway != d.Leeway {
		t.Error("a value that looks like a default is none")
	}
}

func TestOtherIssuers(t *testing.T) {
	page := read(t, "other-issuers.md")
	for strings.Contains(page, "```yaml") {
		load(t, "audiences: [a]\ntls: off\n"+block(t, page, "yaml"))
		_, page, _ = strings.Cut(page, "```yaml")
	}
}

func load(t *testing.T, text string) *config.Config {
	t.Helper()
	file := filepath.Join(t.TempDir(), "sallyport.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load([]string{"--config", file})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// pages calls f with every page of the repository, by its path from here.
func pages(t *testing.T, f func(name, text string)) {
	t.Helper()
	err := filepath.WalkDir("..", func(name string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && d.Name() == ".git" {
			return filepath.SkipDir
		}
		if err == nil && filepath.Ext(name) == ".md" {
			f(name, read(t, name))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestLinks(t *testing.T) {
	links := 0
	pages(t, func(name, text string) {
		for _, m := range regexp.MustCompile(`(?:\]\(|src=")([^)"#\s]+)`).FindAllStringSubmatch(text, -1) {
			links++
			if strings.Contains(m[1], "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(name), m[1])); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
	if links < 20 {
		t.Errorf("only %d links were found", links)
	}
}

// Each page here is in the index.
func TestIndex(t *testing.T) {
	index := read(t, "README.md")
	names, err := filepath.Glob("*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if name != "README.md" && !strings.Contains(index, "("+name+")") {
			t.Errorf("%s is not in the index", name)
		}
	}
}

// Whatever looks like a flag in a page is one.
func TestFlagsInPages(t *testing.T) {
	known := config.Help(true) + " --help --once --duration --verbose --timeout --help=all --jwks --ca-file --output --path --method --pid "
	pages(t, func(name, text string) {
		for _, m := range regexp.MustCompile("`(?:sallyport \\w+ )?(--[a-z-]+)").FindAllStringSubmatch(text, -1) {
			if !regexp.MustCompile(regexp.QuoteMeta(m[1]) + `[\s=]`).MatchString(known) {
				t.Errorf("%s: there is no flag %s", name, m[1])
			}
		}
	})
}

// goList returns a line for each of the packages.
func goList(t *testing.T, args ...string) []string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"list"}, args...)...)
	cmd.Dir = ".."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	return strings.Fields(string(out))
}

// The map in CONTRIBUTING.md has every package, and no other.
func TestMap(t *testing.T) {
	page := rows(t, read(t, "../CONTRIBUTING.md"))
	for _, p := range goList(t, "-f", "{{if .GoFiles}}{{.ImportPath}}{{end}}", "./...") {
		p = strings.TrimPrefix(p, "sallyport/")
		if _, ok := page[p]; !ok {
			t.Errorf("%s is not on the map", p)
		}
		delete(page, p)
	}
	for p := range page {
		if strings.HasPrefix(p, "internal/") || strings.HasPrefix(p, "cmd/") {
			t.Errorf("%s is on the map, and is no package", p)
		}
	}
}

// dependencies.md has every module that our code or its tests import, and no
// other.
func TestDependencies(t *testing.T) {
	text, _, _ := strings.Cut(read(t, "dependencies.md"), "\n## ")
	page := rows(t, text)
	imports := goList(t, "-f", `{{join .Imports " "}} {{join .TestImports " "}} {{join .XTestImports " "}}`, "./...")
	slices.Sort(imports)
	imports = slices.Compact(imports)
	args := append([]string{"-f", "{{with .Module}}{{if not .Main}}{{.Path}}{{end}}{{end}}"}, imports...)
	modules := goList(t, args...)
	slices.Sort(modules)
	for _, m := range slices.Compact(modules) {
		if _, ok := page[m]; !ok {
			t.Errorf("%s is not explained", m)
		}
		delete(page, m)
	}
	for m := range page {
		t.Errorf("%s is explained, and nobody imports it", m)
	}
}

// A build's version goes into a variable; the linker does not say if there is
// none.
func TestVersionVariable(t *testing.T) {
	source := read(t, "../cmd/proxy/version.go")
	for _, name := range []string{"../Makefile", "../Dockerfile"} {
		m := regexp.MustCompile(`-X main\.(\w+)=`).FindStringSubmatch(read(t, name))
		if m == nil || !strings.Contains(source, "\nvar "+m[1]+" string") {
			t.Errorf("%s sets %v, and there is no such variable", name, m)
		}
	}
}
