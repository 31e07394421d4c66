package main

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"slices"
	"time"
)

// A results is what runs have found. What one has not measured is missing.
type results struct {
	// When is the day of the last run, Revision the source that it was made from.
	When, Revision string
	Machine        machine
	Rows           []row     `json:",omitempty"`
	Cold           []entry   `json:",omitempty"`
	Start          *startup  `json:",omitempty"`
	Memory         *memory   `json:",omitempty"`
	Known          *decision `json:",omitempty"`
}

// rowOf returns what one proxy did in one scenario, or nil.
func (r *results) rowOf(scenario, proxy string) *row {
	for i := range r.Rows {
		if r.Rows[i].Scenario == scenario && r.Rows[i].Proxy == proxy {
			return &r.Rows[i]
		}
	}
	return nil
}

// merge takes over what a later run has measured.
func (r *results) merge(later *results) {
	r.When, r.Revision, r.Machine = later.When, later.Revision, later.Machine
	r.Rows = slices.DeleteFunc(r.Rows, func(old row) bool {
		return slices.ContainsFunc(later.Rows, func(n row) bool { return n.Scenario == old.Scenario })
	})
	r.Rows = append(r.Rows, later.Rows...)
	slices.SortStableFunc(r.Rows, func(a, b row) int { return position(a.Scenario) - position(b.Scenario) })
	if later.Cold != nil {
		r.Cold = later.Cold
	}
	if later.Start != nil {
		r.Start = later.Start
	}
	if later.Memory != nil {
		r.Memory = later.Memory
	}
	if later.Known != nil {
		r.Known = later.Known
	}
}

func position(name string) int {
	return slices.IndexFunc(scenarios, func(s scenario) bool { return s.name == name })
}

// readResults reads a file of results; one that is not there has none.
func readResults(file string) (*results, error) {
	r := &results{}
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return nil, err
	}
	return r, json.Unmarshal(data, r)
}

func (r *results) write(file string) error {
	data, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(data, '\n'), 0o644)
}

// today is what is written under figures.
func today() string { return time.Now().UTC().Format(time.DateOnly) }
