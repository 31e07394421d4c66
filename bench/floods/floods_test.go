package main

import (
	"os"
	"strings"
	"testing"
	"time"

	"sallyport/bench/gate"
	"sallyport/bench/load"
)

// The flood of a test comes from a process of its own too.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == word {
		main()
		return
	}
	os.Exit(m.Run())
}

// A short run, with every promise in force.
func TestFloods(t *testing.T) {
	program, err := gate.Build(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for _, o := range []options{
		{modes: "hybrid", kinds: "forged,dots-60k,dots-1M"},
		{modes: "oidc", kinds: "unknown-key"},
		{modes: "tokenreview", kinds: "forged"},
	} {
		o.duration, o.from, o.program = 2*time.Second, "127.0.0.2", program
		if err := run(t.Context(), o, &out); err != nil {
			t.Errorf("%s %s: %v", o.modes, o.kinds, err)
		}
	}
	t.Logf("\n%s", &out)
}

// kept is a result with nothing to complain about.
func kept() *result {
	return &result{
		row:   row{mode: "hybrid", kind: kinds[0]},
		flood: load.Tally{401: 1000}, good: load.Record{Sent: 100},
		entered: make([]time.Duration, newcomers), reviews: 21, proven: 21,
		peak: 30 << 20, running: true, floodTook: 3 * time.Second,
	}
}

func TestBroken(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*result)
		want   string // of the one complaint; "" for none
	}{
		"kept":                      {func(*result) {}, ""},
		"ended":                     {func(r *result) { r.running = false }, "the gate ended"},
		"let in":                    {func(r *result) { r.flood[200] = 3 }, "3 requests of the flood were answered with 200"},
		"no flood":                  {func(r *result) { r.flood = load.Tally{} }, "there was no flood"},
		"an error":                  {func(r *result) { r.good.Errors = 1 }, "1 of 100 requests of well-behaved callers failed"},
		"nobody called":             {func(r *result) { r.good.Sent = 0 }, "no well-behaved caller was answered"},
		"shut out":                  {func(r *result) { r.entered = r.entered[1:] }, "4 of 5 new callers got in"},
		"asked about the flood":     {func(r *result) { r.reviews = 43 }, "43 TokenReviews, more than 42"},
		"asked again in time":       {func(r *result) { r.floodTook = 30 * time.Second; r.reviews = 63 }, ""},
		"asked in mode oidc":        {func(r *result) { r.mode = "oidc" }, "21 TokenReviews, more than 0"},
		"within the limiter":        {func(r *result) { r.mode = "tokenreview"; r.reviews = 42 + 80 }, ""},
		"past the limiter":          {func(r *result) { r.mode = "tokenreview"; r.reviews = 42 + 81 }, "123 TokenReviews, more than 122"},
		"asked about what it knows": {func(r *result) { r.mode = "tokenreview"; r.kind.asked = false; r.reviews = 43 }, "43 TokenReviews"},
		"fetched":                   {func(r *result) { r.fetches = 1 }, "1 fetches of keys, more than 0"},
		"fetched for unknown keys":  {func(r *result) { r.kind.fetches = true; r.fetches = 1 }, ""},
		"fetched too often":         {func(r *result) { r.kind.fetches = true; r.fetches = 2 }, "2 fetches of keys, more than 1"},
		"too much memory":           {func(r *result) { r.peak = memoryBudget + 1<<18 }, "40.2 MiB of memory"},
	} {
		t.Run(name, func(t *testing.T) {
			r := kept()
			tc.change(r)
			got := r.broken()
			if tc.want == "" && len(got) > 0 || tc.want != "" && (len(got) != 1 || !strings.HasPrefix(got[0], tc.want)) {
				t.Errorf("broken: %q, want %q", got, tc.want)
			}
		})
	}
}

func TestUnknownNames(t *testing.T) {
	for _, o := range []options{{modes: "hybird", kinds: "all"}, {modes: "all", kinds: "forget"}} {
		if _, err := o.rows(); err == nil {
			t.Errorf("%+v: accepted", o)
		}
	}
}
