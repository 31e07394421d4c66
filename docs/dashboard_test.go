package docs

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A panel is what we ask of one in dashboard.json, Grafana's classic model.
type panel struct {
	ID                       int
	Type, Title, Description string
	GridPos                  struct{ H, W, X, Y int }
	Datasource               struct{ UID string }
	FieldConfig              struct{ Defaults struct{ Unit string } }
	Targets                  []struct {
		Expr, RefID string
		Datasource  struct{ UID string }
	}
}

// A board is dashboard.json.
type board struct {
	UID, Title    string
	SchemaVersion int
	Panels        []panel
	Annotations   struct {
		List []struct {
			Name, Expr string
			Datasource struct{ UID string }
		}
	}
	Templating struct{ List []struct{ Name string } }
}

func dashboard(t *testing.T) (d board) {
	t.Helper()
	if err := json.Unmarshal([]byte(read(t, observability+"dashboard.json")), &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// query reports what keeps a query from being that of the chosen pods.
func (d board) query(t *testing.T, where, expr, source string) {
	t.Helper()
	if source != "${datasource}" || !strings.Contains(expr, `namespace=~"$namespace",pod=~"$pod"`) {
		t.Errorf("%s asks %s of %s", where, expr, source)
	}
	known := []string{"__rate_interval", "__interval"}
	for _, v := range d.Templating.List {
		known = append(known, v.Name)
	}
	for _, m := range regexp.MustCompile(`\$(\w+)`).FindAllStringSubmatch(expr, -1) {
		if !slices.Contains(known, m[1]) {
			t.Errorf("%s: there is no variable %s", where, m[1])
		}
	}
}

// Each panel has a place of its own, says what it shows and in which unit, and asks the
// datasource that was chosen. e2e/dashboard asks a Prometheus.
func TestDashboard(t *testing.T) {
	d := dashboard(t)
	// 42 is the last version of this model: what comes after it is another model.
	if d.UID != "sallyport" || d.Title == "" || d.SchemaVersion != 42 {
		t.Errorf("uid %q, title %q, schemaVersion %d", d.UID, d.Title, d.SchemaVersion)
	}
	for _, a := range d.Annotations.List {
		d.query(t, a.Name, a.Expr, a.Datasource.UID)
	}
	ids, taken := map[int]bool{}, map[[2]int]string{}
	for _, p := range d.Panels {
		if ids[p.ID] || p.ID == 0 {
			t.Errorf("%s: there is another panel %d", p.Title, p.ID)
		}
		ids[p.ID] = true
		g := p.GridPos
		if g.W <= 0 || g.H <= 0 || g.X < 0 || g.X+g.W > 24 {
			t.Errorf("%s: it is at %+v, and there are 24 columns", p.Title, g)
		}
		for x := g.X; x < g.X+g.W; x++ {
			for y := g.Y; y < g.Y+g.H; y++ {
				if other := taken[[2]int{x, y}]; other != "" {
					t.Fatalf("%s is where %s is", p.Title, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
		if p.Type == "row" {
			continue
		}
		if p.Title == "" || p.Description == "" || p.FieldConfig.Defaults.Unit == "" || len(p.Targets) == 0 || p.Datasource.UID != "${datasource}" {
			t.Errorf("%q, %q, in %q, with %d queries of %s", p.Title, p.Description, p.FieldConfig.Defaults.Unit, len(p.Targets), p.Datasource.UID)
		}
		for _, q := range p.Targets {
			d.query(t, p.Title, q.Expr, q.Datasource.UID)
		}
	}
}
