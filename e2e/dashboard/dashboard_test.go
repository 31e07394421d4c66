// Package dashboard asks a Prometheus that scrapes `sallyport demo` what the panels of
// deploy/observability ask. It needs Debian's prometheus, and neither a cluster nor
// root.
package dashboard

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"sallyport/e2e/wait"
)

// enough is above what the demo's scenes and a few scrapes take, of one a second.
const enough = 90 * time.Second

// A query is one of a panel's.
type query struct{ panel, expr string }

// queries are those of the dashboard, with what Grafana puts in place of its variables.
func queries(t *testing.T) (all []query) {
	t.Helper()
	text, err := os.ReadFile("../../deploy/observability/dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
		Annotations struct{ List []struct{ Name, Expr string } }
	}
	if err := json.Unmarshal(text, &board); err != nil {
		t.Fatal(err)
	}
	fill := strings.NewReplacer("$__rate_interval", "15s", "$__interval", "15s", "$namespace", ".*", "$pod", ".*")
	for _, p := range board.Panels {
		for _, q := range p.Targets {
			all = append(all, query{p.Title, fill.Replace(q.Expr)})
		}
	}
	for _, a := range board.Annotations.List {
		all = append(all, query{"the annotation " + a.Name, fill.Replace(a.Expr)})
	}
	return all
}

// missing are metrics that the demo does not have: it has no certificate and no pod,
// and writes its log to a file.
var missing = regexp.MustCompile("sallyport_(certificate_expiry|upstream_bypass|log_lines_dropped)")

// mayBeEmpty reports whether a panel may have nothing to show of a demo in which all is
// well: what is there above 0 alone, and what is missing.
func (q query) mayBeEmpty() bool {
	return strings.HasSuffix(q.expr, "> 0") || strings.HasPrefix(q.panel, "the annotation ") || missing.MatchString(q.expr)
}

// Each panel's query is one that Prometheus understands, and shows something of a
// demo, with classic histograms as with native ones.
func TestPanels(t *testing.T) {
	gate := play(t)
	for name, flags := range map[string][]string{"classic": nil, "native": {"--enable-feature=native-histograms"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, gate, flags...)
			left := queries(t)
			if len(left) < 40 {
				t.Fatalf("only %d queries were found", len(left))
			}
			err := wait.For(t.Context(), "something to show", enough, func(ctx context.Context) error {
				var err error
				left = slices.DeleteFunc(left, func(q query) bool {
					shown, e := p.ask(ctx, q.expr)
					if e != nil {
						err = e
					}
					return e == nil && (shown || q.mayBeEmpty())
				})
				if err == nil && len(left) > 0 {
					err = fmt.Errorf("%d panels show nothing, %q among them", len(left), left[0])
				}
				return err
			})
			if err != nil {
				t.Error(err)
			}
			for _, q := range left {
				t.Errorf("%s shows nothing: %s", q.panel, q.expr)
			}
		})
	}
}

// A server is Prometheus.
type server struct{ url string }

// ask reports whether a query has a value that is a number.
func (s server) ask(ctx context.Context, expr string) (shown bool, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/api/v1/query?query="+url.QueryEscape(expr), nil)
	if err != nil {
		return false, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false, err // it starts
	}
	defer resp.Body.Close()
	var answer struct {
		Status, Error string
		Data          struct{ Result []struct{ Value []any } }
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return false, fmt.Errorf("%s: %w", resp.Status, err)
	}
	if answer.Status != "success" {
		err := fmt.Errorf("%s: %s", answer.Error, expr)
		if resp.StatusCode == http.StatusBadRequest {
			err = wait.Stop(err) // it does not parse
		}
		return false, err
	}
	for _, r := range answer.Data.Result {
		if len(r.Value) == 2 && r.Value[1] != "NaN" {
			return true, nil
		}
	}
	return false, nil
}

// admin is the gate's listener in its flags.
var admin = regexp.MustCompile(`(?m)^--admin-listen=(.*)$`)
