package docs

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// exposed returns the values of each label of each series that a scrape has.
func exposed() map[string]map[string][]string {
	all := map[string]map[string][]string{}
	for line := range strings.Lines(scrape()) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		name := regexp.MustCompile(`^\w+`).FindString(line)
		if all[name] == nil {
			all[name] = map[string][]string{}
		}
		for _, l := range regexp.MustCompile(`(\w+)="([^"]*)"`).FindAllStringSubmatch(line, -1) {
			all[name][l[1]] = append(all[name][l[1]], l[2])
		}
	}
	// A native histogram has the name alone.
	for name, labels := range all {
		if base, ok := strings.CutSuffix(name, "_bucket"); ok {
			all[base] = labels
		}
	}
	return all
}

// scraped are the labels that come from the scrape, see metrics.md.
var scraped = []string{"job", "namespace", "pod", "instance"}

// unlisted are those whose values come from a configuration, or the app.
var unlisted = []string{"code", "caller", "issuer", "route", "version"}

// checkQuery reports what query asks for that there is not, and returns the metrics
// that it asks for.
func checkQuery(t *testing.T, where, query string, known map[string]map[string][]string) (names []string) {
	t.Helper()
	for _, m := range regexp.MustCompile(`\b((?:sallyport|process|go)_\w+)(\{[^}]*\})?`).FindAllStringSubmatch(query, -1) {
		names = append(names, m[1])
		labels, ok := known[m[1]]
		if !ok {
			t.Errorf("%s: there is no metric %s", where, m[1])
			continue
		}
		for _, l := range regexp.MustCompile(`(\w+)[=!]~?"([^"]*)"`).FindAllStringSubmatch(m[2], -1) {
			values, ok := labels[l[1]]
			if !ok && !slices.Contains(scraped, l[1]) {
				t.Errorf("%s: %s has no label %s", where, m[1], l[1])
			}
			for _, v := range strings.Split(l[2], "|") {
				if ok && !slices.Contains(unlisted, l[1]) && !slices.Contains(values, v) {
					t.Errorf("%s: %s is never %q in %s", where, l[1], v, m[1])
				}
			}
		}
	}
	for _, m := range regexp.MustCompile(`by \(([^)]*)\)`).FindAllStringSubmatch(query, -1) {
		for _, l := range strings.Split(m[1], ", ") {
			has := func(name string) bool { return known[name][l] != nil }
			if !slices.Contains(scraped, l) && !slices.ContainsFunc(names, has) {
				t.Errorf("%s: none of %v has the label %s", where, names, l)
			}
		}
	}
	return names
}

// Rules and dashboard ask for what a gate exposes, and one of them for each of its
// metrics.
func TestQueries(t *testing.T) {
	known := exposed()
	var asked []string
	for _, r := range rules(t) {
		asked = append(asked, checkQuery(t, r.Alert, r.Expr, known)...)
	}
	d := dashboard(t)
	for _, a := range d.Annotations.List {
		asked = append(asked, checkQuery(t, a.Name, a.Expr, known)...)
	}
	for _, p := range d.Panels {
		for _, q := range p.Targets {
			asked = append(asked, checkQuery(t, p.Title, q.Expr, known)...)
		}
	}
	for _, m := range metrics() {
		if !slices.Contains(asked, m.name) {
			t.Errorf("%s is neither on the dashboard nor in an alert", m.name)
		}
	}
	for _, m := range regexp.MustCompile(`series: '([^']+)'`).FindAllStringSubmatch(read(t, observability+"rules_test.yaml"), -1) {
		checkQuery(t, "rules_test.yaml", m[1], known)
	}
}
