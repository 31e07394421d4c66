package main

import (
	"maps"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A short run of the yardstick and of ours, with whatever load programs there are.
func TestCompare(t *testing.T) {
	var out strings.Builder
	for _, o := range []options{
		{steps: "start,one,rate", proxies: "bare,hybrid", profile: t.TempDir()},
		{steps: "h2c,cold", proxies: "oidc"},
		{steps: "one", proxies: "hybrid,against", against: unobservedName},
		{steps: "one", orders: 1, against: unobservedName},
	} {
		o.rounds, o.duration = 1, time.Second
		if err := run(t.Context(), o, &out); err != nil {
			t.Error(err)
		}
	}
	t.Logf("\n%s", &out)
	// These are there wherever we are.
	for proxy, least := range map[string]int{"bare": 2, "hybrid": 4, "against": 2, "oidc": 1} {
		if n := strings.Count(out.String(), "\n"+proxy+" "); n < least {
			t.Errorf("%d rows of %s, want at least %d", n, proxy, least)
		}
	}
}

// cost makes samples of so many microseconds a request.
func cost(us ...int) (all []*sample) {
	for _, n := range us {
		all = append(all, &sample{Requests: 1000, Took: time.Second, CPU: time.Duration(n) * time.Millisecond})
	}
	return all
}

// Ratios are to bare in the same round: a slow round is slow for all.
func TestRatio(t *testing.T) {
	in := []contestant{{name: "nginx"}, {name: bareName}}
	all := rows(&scenarios[0], in, [][]*sample{cost(50, 200, 60), cost(100, 400, 100)})
	want := row{Scenario: "one", Proxy: "nginx", Rounds: 3, CPU: 60, Ratio: span{0.5, 0.5, 0.6}, Rate: 1000}
	if all[0] != want {
		t.Errorf("%+v, want %+v", all[0], want)
	}
	if one := (span{1, 1, 1}); all[1].Ratio != one {
		t.Errorf("bare is %v of bare", all[1].Ratio)
	}
}

func TestCompared(t *testing.T) {
	both := []contestant{{name: againstName}, {name: bareName}, {name: headName}}
	samples := [][]*sample{cost(50, 100, 200), cost(1, 1, 1), cost(51, 110, 199)}
	for want, in := range map[string][]contestant{
		"hybrid is 1.020 of against, 0.995 to 1.100\n": both,
		"": both[1:],
	} {
		var out strings.Builder
		if compared(in, samples, &out); out.String() != want {
			t.Errorf("%q, want %q", &out, want)
		}
	}
}

func TestComparedInOrders(t *testing.T) {
	var out strings.Builder
	comparedInOrders([][]*sample{cost(10, 30, 20), cost(10, 20, 20), cost(30, 20, 40), cost(20, 20, 40)}, &out)
	const want = "hybrid is 1.250 of against, 1.000 to 1.333 in 3 rounds, with a standard error of 0.100; by each order 1.000 1.000\n"
	if out.String() != want {
		t.Errorf("%q, want %q", &out, want)
	}
}

func TestStandardError(t *testing.T) {
	for want, of := range map[float64][]float64{0: {7}, 1: {1, 3}, math.Sqrt(1.0 / 12): {1, 1, 2, 2}} {
		if got := standardError(of); math.Abs(got-want) > 1e-9 {
			t.Errorf("of %v: %v, want %v", of, got, want)
		}
	}
}

func TestSilenced(t *testing.T) {
	const source = "func a(n int) {\n\tb()\n}\n\nfunc b() {\n}\n"
	for f, want := range map[string]string{
		"func a(": "func a(n int) {\nif true { return }\n\tb()\n}\n\nfunc b() {\n}\n",
		"func c(": "",
		"func ":   "",
	} {
		got, err := silenced(source, []string{f})
		if got != want || (err != nil) != (want == "") {
			t.Errorf("%s: %q, %v", f, got, err)
		}
	}
}

func TestMedian(t *testing.T) {
	for want, of := range map[float64][]float64{2: {3, 1, 2}, 2.5: {4, 1, 2, 3}, 7: {7}} {
		if got := median(of); got != want {
			t.Errorf("median of %v: %v, want %v", of, got, want)
		}
	}
}

func TestH2Sample(t *testing.T) {
	for name, tc := range map[string]struct {
		log  string
		want sample // zero: an error
	}{
		"answers": {"1\t200\t10\n2\t204\t30\n3\t200\t20\n", sample{Requests: 3, Took: time.Second, P50: us(20), P99: us(30), P999: us(30)}},
		"refused": {"1\t200\t10\n2\t401\t10\n3\t-1\t10\n", sample{Requests: 3, Errors: 2, Took: time.Second, P50: us(10), P99: us(10), P999: us(10)}},
		"nothing": {"", sample{}},
		"strange": {"1 2\n", sample{}},
	} {
		got, err := h2sample(strings.NewReader(tc.log), time.Second)
		if tc.want.Requests == 0 {
			if err == nil {
				t.Errorf("%s: no error", name)
			}
		} else if err != nil || *got != tc.want {
			t.Errorf("%s: %+v %v, want %+v", name, got, err, tc.want)
		}
	}
}

// Who lets a bad token in is not compared with those that do not.
func TestRefuses(t *testing.T) {
	good := "h.c." + strings.Repeat("s", 342)
	for name, tc := range map[string]struct {
		accepts func(authorization string) bool
		ok      bool
	}{
		"does":        {func(a string) bool { return a == "Bearer "+good }, true},
		"any token":   {func(a string) bool { return a != "" }, false},
		"no token":    {func(a string) bool { return a == "" }, false},
		"any request": {func(string) bool { return true }, false},
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !tc.accepts(r.Header.Get("Authorization")) {
				w.WriteHeader(http.StatusUnauthorized)
			}
		}))
		i := &instance{addr: s.Listener.Addr().String()}
		if err := i.refuses(t.Context(), &site{tokens: []string{good}}, &scenarios[0]); (err == nil) != tc.ok {
			t.Errorf("%s: %v", name, err)
		}
		s.Close()
	}
}

func TestSumTraces(t *testing.T) {
	const text = `File: sallyport
Type: cpu
-----------+-------------------------------------------------------
      20ms   internal/runtime/syscall.Syscall6
             syscall.write
             net/http.persistConnWriter.Write
             net/http.(*persistConn).writeLoop
-----------+-------------------------------------------------------
      10ms   internal/runtime/syscall.Syscall6
             syscall.write
             net.(*conn).Write
             net/http.checkConnErrorWriter.Write
-----------+-------------------------------------------------------
       1.5s  crypto/sha256.block (inline)
             sallyport/internal/cache.(*Cache).decide
             sallyport/internal/proxy.(*proxy).admit
             net/http/httputil.something
-----------+-------------------------------------------------------
      30ms   runtime.mallocgc
             sallyport/internal/cache.(*Cache).decide
-----------+-------------------------------------------------------
`
	got := sumTraces(text)
	want := map[string]time.Duration{
		"kernel: writing to the app": 20 * time.Millisecond, "kernel: writing to the caller": 10 * time.Millisecond,
		"the bearer header and the decision": 1500 * time.Millisecond, "allocating": 30 * time.Millisecond,
	}
	if !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestPeers(t *testing.T) {
	file := filepath.Join(t.TempDir(), "proxy")
	if err := os.WriteFile(file, nil, 0o700); err != nil {
		t.Fatal(err)
	}
	for list, want := range map[string]int{
		"": 0, "kube-rbac-proxy=" + file: 1, "kube-rbac-proxy=" + file + ",oauth2-proxy=" + file: 2,
		"envoy=" + file: -1, "oauth2-proxy": -1, "oauth2-proxy=/nowhere": -1,
	} {
		if all, err := peersOf(list); want < 0 && err == nil || want >= 0 && (err != nil || len(all) != want) {
			t.Errorf("%q: %d, %v", list, len(all), err)
		}
	}
}

func TestUnknownNames(t *testing.T) {
	for _, o := range []options{{steps: "two", proxies: "all"}, {steps: "one", proxies: "nobody", program: "x"},
		{steps: "one", program: "x", orders: 1, against: unobservedName}, {steps: "one", program: "x", orders: 1, against: "a/file"}} {
		if err := run(t.Context(), o, &strings.Builder{}); err == nil {
			t.Errorf("%+v: accepted", o)
		}
	}
}
