package main

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The page and its chart are what the kept results make of them: nobody has
// written a better figure in.
func TestPage(t *testing.T) {
	root, err := root(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r, err := readResults(filepath.Join(root, resultsFile))
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(root, pageFile))
	if err != nil {
		t.Fatal(err)
	}
	want, err := r.into(string(page))
	if err != nil {
		t.Fatal(err)
	}
	if want != string(page) {
		t.Errorf("%s is not what %s says: make bench FLAGS='-scenarios none -update'", pageFile, resultsFile)
	}
	if chart, err := os.ReadFile(filepath.Join(root, chartFile)); err != nil || string(chart) != r.chart() {
		t.Errorf("%s is not what %s says, or %v", chartFile, resultsFile, err)
	}
}

func TestPageWithoutAPlace(t *testing.T) {
	for _, page := range []string{"", begins, ends} {
		if _, err := (&results{}).into(page); err == nil {
			t.Errorf("%q: accepted", page)
		}
	}
}

func TestChartIsXML(t *testing.T) {
	r := perfect()
	d := xml.NewDecoder(strings.NewReader(r.chart()))
	bars := 0
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := token.(xml.StartElement); ok && e.Name.Local == "rect" {
			bars++
		}
	}
	if want := 1 + len(r.Rows); bars != want { // and the background
		t.Errorf("%d rectangles, want %d", bars, want)
	}
}

// perfect has all figures that budgets are about, and all are just good enough.
func perfect() *results {
	bare, ours := span{1, 1, 1}, span{wantedRatio, 0.6, 0.7}
	return &results{
		Rows: []row{
			{Scenario: "one", Proxy: bareName, Ratio: bare}, {Scenario: "one", Proxy: rivalName, Rate: 10_000},
			{Scenario: "one", Proxy: headName, Ratio: ours, Rate: 10_001, Allocs: 50},
			{Scenario: "rate", Proxy: bareName, Ratio: bare, P99: 900}, {Scenario: "rate", Proxy: headName, Ratio: ours, P99: 900},
		},
		Known:  &decision{Nanoseconds: 1500, Allocs: 2},
		Memory: &memory{Idle: 18 << 20, LoadPeak: 30 << 20, Garbage: 40 << 20},
		Start:  &startup{Bytes: 25_000_000, Median: 150},
	}
}

func TestBudgets(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*results)
		broken string // how the one that is broken begins, or "" for none
	}{
		"perfect":      {func(*results) {}, ""},
		"nothing":      {func(r *results) { *r = results{} }, ""},
		"CPU":          {func(r *results) { r.Rows[2].Ratio.Median = 0.69 }, "CPU a request, of bare, closed loop"},
		"slower":       {func(r *results) { r.Rows[2].Rate = 10_000 }, "requests a second"},
		"CPU, steady":  {func(r *results) { r.Rows[4].Ratio.Median = 0.69 }, "CPU a request, of bare, fixed rate"},
		"late":         {func(r *results) { r.Rows[4].P99 = 901 }, "p99"},
		"slow to know": {func(r *results) { r.Known.Nanoseconds = 1501 }, "a known token"},
		"allocates":    {func(r *results) { r.Known.Allocs = 3 }, "allocations"},
		"idle":         {func(r *results) { r.Memory.Idle++ }, "RSS idle"},
		"load":         {func(r *results) { r.Memory.LoadPeak++ }, "RSS under load"},
		"garbage":      {func(r *results) { r.Memory.Garbage++ }, "RSS after"},
		"large":        {func(r *results) { r.Start.Bytes++ }, "the stripped"},
		"slow":         {func(r *results) { r.Start.Median++ }, "start to ready"},
	} {
		r := perfect()
		tc.change(r)
		var broken []string
		for _, v := range r.verdicts() {
			if !v.kept {
				broken = append(broken, v.what)
			}
		}
		if tc.broken == "" && len(broken) > 0 || tc.broken != "" && (len(broken) != 1 || !strings.HasPrefix(broken[0], tc.broken)) {
			t.Errorf("%s: broken %q, want %q", name, broken, tc.broken)
		}
		if kept := r.judge(io.Discard); kept != (tc.broken == "") {
			t.Errorf("%s: kept %v", name, kept)
		}
	}
	if n := len(perfect().verdicts()); n != 11 {
		t.Errorf("%d budgets, want 11", n)
	}
}

// A later run replaces the scenarios that it measured, and leaves the others.
func TestMerge(t *testing.T) {
	r := perfect()
	r.merge(&results{
		Revision: "later", Rows: []row{{Scenario: "one", Proxy: bareName, CPU: 7}, {Scenario: "h2", Proxy: bareName}},
		Known: &decision{Nanoseconds: 9},
	})
	var got []string
	for _, c := range r.Rows {
		got = append(got, c.Scenario+" "+c.Proxy)
	}
	want := []string{"one bare", "rate bare", "rate hybrid", "h2 bare"}
	if !slices.Equal(got, want) || r.Rows[0].CPU != 7 {
		t.Errorf("rows %q, want %q, the first a new one: %+v", got, want, r.Rows[0])
	}
	if r.Known.Nanoseconds != 9 || r.Memory == nil || r.Revision != "later" {
		t.Errorf("%+v", r)
	}
}
