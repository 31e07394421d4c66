package docs

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

const observability = "../deploy/observability/"

// A rule is an alert of rules.yaml.
type rule struct {
	Alert       string            `json:"alert"`
	Expr        string            `json:"expr"`
	For         string            `json:"for"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
}

func rules(t *testing.T) (all []rule) {
	t.Helper()
	var file struct {
		Groups []struct {
			Name  string `json:"name"`
			Rules []rule `json:"rules"`
		} `json:"groups"`
	}
	if err := yaml.UnmarshalStrict([]byte(read(t, observability+"rules.yaml")), &file); err != nil {
		t.Fatal(err)
	}
	for _, g := range file.Groups {
		all = append(all, g.Rules...)
	}
	return all
}

// Each alert says how bad it is and where to read on, and promtool sees it fire and
// not fire.
func TestRules(t *testing.T) {
	var cases struct {
		Tests []struct {
			Alerts []struct {
				Name string `json:"alertname"`
				Want []any  `json:"exp_alerts"`
			} `json:"alert_rule_test"`
		} `json:"tests"`
	}
	if err := yaml.Unmarshal([]byte(read(t, observability+"rules_test.yaml")), &cases); err != nil {
		t.Fatal(err)
	}
	fires, silent := map[string]bool{}, map[string]bool{}
	for _, c := range cases.Tests {
		for _, a := range c.Alerts {
			if len(a.Want) > 0 {
				fires[a.Name] = true
			} else {
				silent[a.Name] = true
			}
		}
	}
	for _, r := range rules(t) {
		if s := r.Labels["severity"]; s != "critical" && s != "warning" {
			t.Errorf("%s: the severity is %q", r.Alert, s)
		}
		if r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
			t.Errorf("%s does not say what is the matter", r.Alert)
		}
		if link := r.Annotations["runbook_url"]; link != "docs/alerts.md#"+strings.ToLower(r.Alert) {
			t.Errorf("%s: the runbook is %s", r.Alert, link)
		}
		if !fires[r.Alert] || !silent[r.Alert] {
			t.Errorf("%s: promtool sees it fire: %v, and not fire: %v", r.Alert, fires[r.Alert], silent[r.Alert])
		}
	}
}

// section is how the page's section on the rule begins.
func (r rule) section() string {
	head := r.Labels["severity"]
	if r.For != "" {
		head += ", after " + r.For
	}
	return "### " + r.Alert + "\n\n" + head + ":\n\n```promql\n" + strings.TrimSpace(r.Expr) + "\n```\n\n"
}

// The page has a section for each alert, in the same order, which begins with the
// rule as it is. -update writes that part.
func TestAlerts(t *testing.T) {
	page := read(t, "alerts.md")
	var have, want []string
	for _, m := range regexp.MustCompile(`(?m)^### (\w+)$`).FindAllStringSubmatch(page, -1) {
		have = append(have, m[1])
	}
	now := page
	for _, r := range rules(t) {
		want = append(want, r.Alert)
		old := regexp.MustCompile("### " + r.Alert + "\n\n(?:[^\n]*:\n\n```promql\n(?:.*\n)*?```\n\n)?")
		now = old.ReplaceAllLiteralString(now, r.section())
	}
	if !slices.Equal(have, want) {
		t.Errorf("the page has %v, and the alerts are %v", have, want)
	}
	switch {
	case now == page:
	case *update:
		if err := os.WriteFile("alerts.md", []byte(now), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Error("the page does not have the rules as they are: go test ./docs -run TestAlerts -update")
	}
}
