package main

import (
	"slices"
	"strings"
	"testing"
)

var rested = level{goroutines: 22, files: 16, threads: 9, heap: 2 << 20, rss: 25 << 20, tokens: 10}

func TestFlatness(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*level)
		want   string // of the one complaint; "" for none
	}{
		"the same":              {func(*level) {}, ""},
		"some more":             {func(l *level) { l.files += moreFiles; l.goroutines += moreGoroutines; l.threads += moreThreads }, ""},
		"less":                  {func(l *level) { *l = level{} }, ""},
		"descriptors":           {func(l *level) { l.files += moreFiles + 1 }, "after x: 23 descriptors, more than 16 and 6"},
		"goroutines":            {func(l *level) { l.goroutines += moreGoroutines + 1 }, "after x: 43 goroutines"},
		"threads":               {func(l *level) { l.threads += moreThreads + 1 }, "after x: 22 threads"},
		"a connection":          {func(l *level) { l.connections = 1 }, "after x: 1 connections of callers"},
		"a request":             {func(l *level) { l.requests = 1 }, "after x: 1 requests under way"},
		"heap":                  {func(l *level) { l.heap += moreHeap + 1<<18 }, "after x: 5.2 MiB of heap"},
		"heap of tokens":        {func(l *level) { l.heap += moreHeap + 1000*perToken; l.tokens += 1000 }, ""},
		"heap and fewer tokens": {func(l *level) { l.heap += moreHeap; l.tokens = 0 }, "after x: 5.0 MiB of heap"},
		"memory of tokens":      {func(l *level) { l.rss = mostRSS + 1<<17; l.tokens = 100 }, ""},
		"memory":                {func(l *level) { l.rss = mostRSS + 1<<17; l.tokens = 10 }, "after x: 40.1 MiB of memory"},
	} {
		t.Run(name, func(t *testing.T) {
			f := flatness{base: rested}
			l := rested
			tc.change(&l)
			f.add("x", l)
			complains(t, f.broken, tc.want)
		})
	}
}

// complains checks for one complaint that begins so, or for none.
func complains(t *testing.T, broken []string, want string) {
	t.Helper()
	if want == "" && len(broken) > 0 || want != "" && (len(broken) != 1 || !strings.HasPrefix(broken[0], want)) {
		t.Errorf("broken: %q, want %q", broken, want)
	}
}

func TestTrend(t *testing.T) {
	for name, tc := range map[string]struct {
		cycles int
		change func(l *level, cycle int)
		want   string
	}{
		"one cycle":            {1, func(l *level, c int) { l.files += 100 }, ""},
		"the same":             {4, func(*level, int) {}, ""},
		"one more each":        {4, func(l *level, c int) { l.files += c }, "from the first cycle to the last: 3 more descriptors"},
		"goroutines":           {4, func(l *level, c int) { l.goroutines += c }, "from the first cycle to the last: 3 more goroutines"},
		"threads":              {4, func(l *level, c int) { l.threads += c }, "from the first cycle to the last: 3 more threads"},
		"heap":                 {4, func(l *level, c int) { l.heap += int64(c) << 19 }, "from the first cycle to the last: 1572864 more bytes of heap"},
		"up and down":          {4, func(l *level, c int) { l.files += c % 2 * 5; l.files -= c / 3 * 5 }, ""},
		"what is remembered":   {4, func(l *level, c int) { l.tokens += 1000 * c; l.heap += int64(1000*c) * perToken }, ""},
		"already at the start": {4, func(l *level, c int) { l.files += 5 }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := flatness{levels: map[string][]level{}}
			for c := range tc.cycles {
				for _, p := range []string{"a", "b", "c"} {
					l := rested
					tc.change(&l, c)
					f.levels[p] = append(f.levels[p], l)
				}
			}
			f.trend()
			complains(t, f.broken, tc.want)
		})
	}
}

func TestJudge(t *testing.T) {
	for name, tc := range map[string]struct {
		phase                  phase
		seen                   map[string]tally
		calls, explained, fail int
	}{
		"all good":         {phase{}, map[string]tally{"known": {"200": 5}, "new": {"200": 1}}, 6, 0, 0},
		"one is not":       {phase{}, map[string]tally{"known": {"200": 5, "503": 1}}, 6, 0, 1},
		"newcomers":        {phase{newcomers: away}, map[string]tally{"new": {"503": 2}, "known": {"200": 1}}, 3, 2, 0},
		"others than they": {phase{newcomers: away}, map[string]tally{"known": {"503": 2}, "new-person": {"503": 1}}, 3, 0, 3},
		"refused":          {phase{newcomers: away}, map[string]tally{"new": {"401": 1}}, 1, 0, 1},
		"everybody":        {phase{everybody: []string{"502", "cut"}}, map[string]tally{"known": {"502": 1, "cut": 1, "none": 1}}, 3, 2, 1},
	} {
		if c, e, f := tc.phase.judge(tc.seen); c != tc.calls || e != tc.explained || f != tc.fail {
			t.Errorf("%s: %d calls, %d explained, %d failed", name, c, e, f)
		}
	}
}

func TestSilent(t *testing.T) {
	seen := map[string]tally{}
	for _, r := range (&ground{}).roles() {
		seen[r.name] = tally{"200": 1}
	}
	delete(seen, "new")
	if got := silent(seen); !slices.Equal(got, []string{"new"}) {
		t.Errorf("silent: %q", got)
	}
}

func TestParse(t *testing.T) {
	const text = "# HELP go_goroutines x\ngo_goroutines 22\ngo_memstats_heap_alloc_bytes 2.5e+06\n" +
		"go_memstats_last_gc_time_seconds 1.7e+09\nsallyport_cache_entries 3\nsallyport_connections 4\nsallyport_in_flight_requests 5\n"
	l, err := parse(text)
	if want := (level{goroutines: 22, heap: 2_500_000, collected: 1.7e9, tokens: 3, connections: 4, requests: 5}); err != nil || l != want {
		t.Errorf("%+v, %v", l, err)
	}
	for line := range strings.Lines(text) {
		if _, err := parse(strings.Replace(text, line, "", 1)); err == nil != strings.HasPrefix(line, "#") {
			t.Errorf("without %q: %v", line, err)
		}
	}
}

// Each row is what is read between two collections: the heap, and nothing else of the
// level, in KiB.
func TestReachable(t *testing.T) {
	for name, tc := range map[string]struct {
		reads [][]int64
		want  int64 // 0: there is no end of it
	}{
		"swept at once":           {[][]int64{{1}, {9}, {7}, {4, 5, 6}, {4}}, 4},
		"swept later":             {[][]int64{{1}, {9}, {7}, {12, 11, 3, 5, 8}, {12}}, 3},
		"never swept":             {[][]int64{{1}, {9}, {7}, {12, 12, 13}, {1}}, 12},
		"less was there before":   {[][]int64{{1}, {2}, {3}, {12, 5, 6}, {4}}, 5},
		"the last has not come":   {[][]int64{{1}, {9}, {7}, {4, 5, 6}}, 0},
		"nothing is ever garbage": {[][]int64{{1}}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			var levels []level
			for i, heaps := range tc.reads {
				for _, heap := range heaps {
					levels = append(levels, level{heap: heap << 10, collected: float64(100 + i)})
				}
			}
			l, err := reachable(func() (level, error) {
				l := levels[0]
				if len(levels) > 1 {
					levels = levels[1:]
				}
				return l, nil
			})
			if l.heap != tc.want<<10 || (err != nil) != (tc.want == 0) {
				t.Errorf("%d KiB, %v; want %d", l.heap>>10, err, tc.want)
			}
		})
	}
}
