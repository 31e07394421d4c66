package main

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// A fault is a row of the matrix: what is wrong, and what callers and operators
// see of it, with its bounds. docs/failure-modes.md is made of these.
type fault struct {
	name string
	args []string // of serve, beside the group's
	// before runs before the gate is started, and returns further arguments.
	before func(*broken) []string
	// born faults are there before the gate is started.
	born          bool
	breaks, mends func(*broken)
	// process is for faults that need a process of their own; see [process].
	process *processLimits
	// overdue waits, before anybody asks, until the known caller's confirmation
	// is: then the gate has to ask the API server. noticed waits for the log.
	overdue, noticed bool
	// apart has the known caller's first request end before the new one's begins.
	apart bool
	// shape changes the requests.
	shape func(*http.Request)

	known, new expect // a zero known: there is none
	ready      string // yes or no; "" where it may be either
	metric     string // the beginning of the series that counts it
	log        string // a part of the line that tells it
	// lateMetric and lateLog can be seen only when it is over.
	lateMetric, lateLog bool
	again               time.Duration
	todo                string
}

// expect is a status and how long the first request may take, which meets the
// fault, and those after it. A status that is none is "cut" (an answer that ends
// too soon) or "none" (no answer).
type expect struct {
	status       string
	first, later time.Duration
}

// atOnce is what a request may take that waits for nobody: milliseconds, and this
// on two cores that have all other tests to do.
const atOnce = 2 * time.Second

// now is an answer that nobody has to wait for.
func now(status string) expect { return expect{status, atOnce, atOnce} }

// A group is a table of the page.
type group struct {
	title, intro string
	// modes are those that all of it is so in; none means the default one.
	modes []string
	args  []string
	rows  []fault
}

func groups() []group {
	return []group{
		reviewFaults(), keyFaults(), birthFaults(),
		issuerFaults(), clockFaults(), tokenFileFaults(), appFaults(), processFaults(),
	}
}

// A trial is a row in one mode.
type trial struct {
	name string
	args []string
	fault
}

func trials() (all []trial) {
	for _, g := range groups() {
		for _, f := range g.rows {
			args := append(slices.Clone(g.args), f.args...)
			if len(g.modes) == 0 {
				all = append(all, trial{g.title + ": " + f.name, args, f})
			}
			for _, mode := range g.modes {
				all = append(all, trial{g.title + ": " + f.name + ", in " + mode, append(slices.Clone(args), "--mode="+mode), f})
			}
		}
	}
	return all
}

// TestFaults breaks one thing at a time, and prints what it measured. It is not
// parallel to other tests: it measures.
func TestFaults(t *testing.T) {
	var (
		all   sync.WaitGroup
		tried = trials()
		lines = make([]string, len(tried))
		turn  = make(chan struct{}, worlds)
	)
	// t.Parallel would let as many at once as there are cores.
	for i, f := range tried {
		all.Go(func() {
			turn <- struct{}{}
			defer func() { <-turn }()
			t.Run(f.name, func(t *testing.T) { lines[i] = f.try(t, f.args) })
		})
	}
	all.Wait()
	var text strings.Builder
	for i, f := range tried {
		if lines[i] != "" {
			fmt.Fprintf(&text, "%-70s %s\n", f.name, lines[i])
		}
	}
	t.Logf("measured:\n%s", text.String())
}
