package main

import (
	"bytes"
	"cmp"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the pages that are made here")

const failurePage = "../../docs/failure-modes.md"

// TestFaultsPage holds docs/failure-modes.md against the bounds that TestFaults
// asserts.
func TestFaultsPage(t *testing.T) {
	want := []byte(page())
	if *update {
		must(t, os.WriteFile(failurePage, want, 0o644))
		return
	}
	have, err := os.ReadFile(failurePage)
	must(t, err)
	if !bytes.Equal(have, want) {
		t.Errorf("docs/failure-modes.md is not what is asserted: go test ./cmd/proxy -run TestFaults -update")
	}
}

const pageIntro = `# Failure modes

What callers get while something is broken, what you see of it, and how soon it is
over. Each row is tried by ` + "`TestFaults`" + ` with the real gate, and each cell is
asserted. The page is made from the test: ` + "`go test ./cmd/proxy -run TestFaults -update`" + `.

## Where to begin

| callers get | it is | table |
|---|---|---|
| 503 | not about their tokens: nobody could examine them. The log's ` + "`reason`" + ` says what is missing | ` + "`review_failed`, `review_forbidden`" + `: the API server. ` + "`keys_unavailable`" + `: the API server in mode oidc, or another issuer. ` + "`own_token`" + `: our own token's file |
| 502, 504, a cut | the app | The app |
| 401, and they did nothing wrong | a clock, or an issuer that changed its keys | Clocks, Another issuer |
| no answer at all | our process, or the way to it | Our own process |

All reasons are in [reasons.md](reasons.md), all metrics in [metrics.md](metrics.md).

## How to read the tables

- A **known** caller's token was let in before the fault. A **new** one was never
  seen. Both make their first request when the fault is there.
- A cell has the status, and how long the request that meets the fault waits at
  most; where those after it differ, theirs comes after "then". 2 s is the bound for
  what waits for nobody: some milliseconds, and that much on two busy cores. The test
  prints what it measured.
- "cut": the answer ends too soon, and the caller notices. "none": no answer, until
  the caller gives up.
- **Ready** is what ` + "`/readyz`" + ` says.
- **Metric** is a series that grows, **log** a part of a line that appears.
- **Again**: once it is mended, known and new callers are served within that time.
- The tests run with ` + "`--recheck=1s` and `keyRefresh.interval: 1s`" + `. With the defaults
  (30 s and 5 min) an outage is noticed later, and costs the same.
- While the API server gives no answer, known callers are served as
  ` + "`--when-unavailable`" + ` says: here ` + "`serve-confirmed`" + `, the default, for
  ` + "`--max-stale`" + ` (10 min). See [modes.md](modes.md#when-the-api-server-does-not-answer).
- **On a cluster** names the tests of ` + "`e2e/scenarios`" + ` that try the row on a real
  Kubernetes too, with bounds of their own, or says why none does.
`

func page() string {
	var b strings.Builder
	b.WriteString(pageIntro)
	for _, g := range groups() {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n", g.title, g.intro)
		b.WriteString("| what is wrong | known | new | ready | metric | log | again | what to do | on a cluster |\n|---|---|---|---|---|---|---|---|---|\n")
		for _, f := range g.rows {
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", f.name, f.known, f.new, cmp.Or(f.ready, "either"),
				code(f.metric, f.lateMetric), code(f.log, f.lateLog), f.recovered(), f.todo, alsoIn(g.title, f.name))
		}
	}
	return b.String()
}

// String is a cell.
func (e expect) String() string {
	switch {
	case e.status == "":
		return "–"
	case e.status == "none":
		return "none"
	case e.first == e.later:
		return e.status + ", " + seconds(e.first)
	}
	return fmt.Sprintf("%s, %s then %s", e.status, seconds(e.first), seconds(e.later))
}

func seconds(d time.Duration) string { return fmt.Sprintf("%d s", int(d.Seconds())) }

func code(text string, late bool) string {
	switch {
	case text == "":
		return "–"
	case late:
		return "`" + text + "`, afterwards"
	}
	return "`" + text + "`"
}

func (f fault) recovered() string {
	if f.mends == nil {
		return "–"
	}
	return seconds(f.again)
}
