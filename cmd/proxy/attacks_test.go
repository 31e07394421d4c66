package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// An attempt is a row of the table: what was done to programs of our kind, by the
// name of its advisory, and what comes of it here. docs/attacks.md is made of
// these.
type attempt struct {
	name string
	sent string // what is sent, for the page
	// wants are the outcomes of the shots and of what try notes: each has to come,
	// and no other.
	wants []string
	then  string // what is true beside the outcome, for the page
	shots []string
	try   func(*siege)
	// proofs are tests that have more of it, or all: package.TestName.
	proofs []string
	// unconcerned says why it is not tried.
	unconcerned string
}

// A campaign is a table of the page, and a gate under attack.
type campaign struct {
	title, intro string
	args         []string // of serve, beside those of each siege
	// over are the ways to the gate and on to the app that all of it is tried on;
	// none means [overHTTP].
	over []way
	rows []attempt
}

// A way is how callers reach the gate, and the gate the app.
type way struct {
	tls bool
	// app is http, unix or h2c: what is between them and us is not the same code.
	app string
}

func (w way) String() string {
	if w.tls {
		return "TLS to " + w.app
	}
	return "clear to " + w.app
}

var (
	overHTTP = []way{{app: "http"}}
	overAll  = []way{{app: "http"}, {app: "unix"}, {app: "h2c"}, {tls: true, app: "http"}}
	overBoth = []way{{app: "http"}, {tls: true, app: "http"}}
)

func campaigns() []campaign {
	return []campaign{
		pathAttacks(), headerAttacks(), tokenAttacks(), keyAttacks(),
		framingAttacks(), bodyAttacks(), upgradeAttacks(),
		http2Attacks(), frameFloods(), loadAttacks(),
		answerAttacks(), ownAttacks(),
	}
}

// TestAttacks tries all of them, and prints those that do not concern us.
func TestAttacks(t *testing.T) {
	t.Parallel()
	t.Run("tried", func(t *testing.T) {
		for _, c := range campaigns() {
			ways := c.over
			if ways == nil {
				ways = overHTTP
			}
			for _, way := range ways {
				t.Run(c.title+", "+way.String(), func(t *testing.T) {
					t.Parallel()
					c.try(t, way)
				})
			}
		}
	})
	var rows int
	var text strings.Builder
	for _, c := range campaigns() {
		for _, a := range c.rows {
			rows++
			if a.unconcerned != "" {
				fmt.Fprintf(&text, "%s: %s\n", a.name, a.unconcerned)
			}
		}
	}
	t.Logf("%d attacks, of which these do not concern us:\n%s", rows, &text)
}

func (c campaign) try(t *testing.T, w way) {
	s := besiege(t, w, c.args)
	for _, a := range c.rows {
		if a.try == nil && a.shots == nil {
			if a.unconcerned == "" && a.proofs == nil {
				t.Errorf("%s: nothing is tried, and nothing says why", a.name)
			}
			continue
		}
		t.Run(a.name, func(t *testing.T) {
			s.t = t
			defer func() { s.t = s.whole }()
			s.outcomes = map[string]string{}
			for _, shot := range a.shots {
				s.got(s.raw(shot).outcome, shot)
			}
			if a.try != nil {
				a.try(s)
			}
			for outcome, shot := range s.outcomes {
				if !slices.Contains(a.wants, outcome) {
					t.Errorf("%s, want %q: %.300q", outcome, a.wants, shot)
				}
			}
			for _, want := range a.wants {
				if _, ok := s.outcomes[want]; !ok {
					t.Errorf("nothing got %q", want)
				}
			}
		})
	}
	s.aftermath()
}
