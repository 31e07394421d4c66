// Package h2spec holds the released program against h2spec's reading of RFC 7540
// and RFC 7541.
package h2spec

import (
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/summerwind/h2spec/config"
	"github.com/summerwind/h2spec/generic"
	"github.com/summerwind/h2spec/hpack"
	"github.com/summerwind/h2spec/http2"
	"github.com/summerwind/h2spec/spec"

	"sallyport/bench/certificate"
	"sallyport/bench/gate"
	"sallyport/bench/world"
)

// cases is how many h2spec has, without those that the RFC only recommends.
const cases = 145

// wait is how long h2spec waits for what has to come. Most of it comes at once;
// the machine may be busy.
const wait = 2 * time.Second

// fails are the cases that fail, as they do with Go's own server, and why.
// Everything else has to pass.
var fails = map[string]string{
	"http2/6.5.3/1":   "one setting twice in a frame: net/http hangs up on that, as it is suspicious",
	"http2/8.1.2.2/1": "a header of the connection: net/http refuses the request with 400, and not with a reset",
	"http2/8.1.2.2/2": "TE with another value than trailers: the same",
}

// failsInClear are those that it fails in clear alone.
var failsInClear = map[string]string{
	"http2/3.5/2": "a preface that is none: it counts as an HTTP/1.1 request, and gets HTTP/1.1's 400",
}

// h2spec sends no token, so all paths are public.
func TestConformance(t *testing.T) {
	program, err := gate.Build(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	w, err := world.New(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	cert, key, err := certificate.Write(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	inClear := maps.Clone(fails)
	maps.Copy(inClear, failsInClear)
	for _, tc := range []struct {
		name  string
		flags []string
		tls   bool
		fails map[string]string
	}{
		{"TLS", []string{"--tls-cert-file=" + cert, "--tls-key-file=" + key}, true, fails},
		{"h2c", nil, false, inClear},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g, err := gate.Start(t.Context(), program, append(append(w.Flags(), "--public-path=/*"), tc.flags...)...)
			if err != nil {
				t.Fatal(err)
			}
			defer g.Stop()
			compare(t, try(t, g.Data, tc.tls), tc.fails)
			if !g.Running() {
				t.Errorf("the gate has ended; its log:\n%s", g.Log())
			}
		})
	}
}

// compare holds what failed against what is known to.
func compare(t *testing.T, got map[string]*spec.TestResult, known map[string]string) {
	t.Helper()
	if len(got) < cases {
		t.Errorf("%d cases were tried, want %d", len(got), cases)
	}
	passed := 0
	for _, id := range slices.Sorted(maps.Keys(got)) {
		r := got[id]
		switch why, ok := known[id]; {
		case r.Failed && ok:
			t.Logf("%s fails: %s", id, why)
		case r.Failed:
			t.Errorf("%s: %s: %v", id, r.TestCase.Desc, r.Error)
		case ok:
			t.Errorf("%s is said to fail, and passes: %s", id, why)
		case !r.Skipped:
			passed++
		}
	}
	for id := range known {
		if got[id] == nil {
			t.Errorf("%s was not tried", id)
		}
	}
	t.Logf("%d of %d passed", passed, len(got))
}

// try runs all cases, and returns their results by section and number.
func try(t *testing.T, addr string, tls bool) map[string]*spec.TestResult {
	t.Helper()
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	c := &config.Config{Host: host, Path: "/", Timeout: wait, MaxHeaderLen: 4000, TLS: tls, Insecure: true}
	if c.Port, err = strconv.Atoi(port); err != nil {
		t.Fatal(err)
	}
	results := map[string]*spec.TestResult{}
	for _, group := range []*spec.TestGroup{generic.Spec(), http2.Spec(), hpack.Spec()} {
		group.Test(c) // prints, and ends the process where it cannot connect
		collect(group, results)
	}
	return results
}

func collect(g *spec.TestGroup, into map[string]*spec.TestResult) {
	for i, tc := range g.Tests {
		if tc.Result != nil {
			into[fmt.Sprintf("%s/%d", g.ID(), i+1)] = tc.Result
		}
	}
	for _, sub := range g.Groups {
		collect(sub, into)
	}
}
