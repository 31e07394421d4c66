package garbage

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"testing"
	"time"
)

const mib = 1 << 20

func TestLook(t *testing.T) {
	for _, tc := range []struct {
		name string
		left []uint64 // after each collection, with 2 MiB of roots, in quarters of a MiB
		want string   // the percentages set
	}{
		{"as in a gate", []uint64{14}, "154"},
		{"half as much as may be", []uint64{24}, ""},
		{"much", []uint64{100}, ""},
		{"nothing", []uint64{0}, "200"},
		{"the same again", []uint64{12, 12, 12}, "180"},
		{"nearly the same", []uint64{12, 13, 11, 12}, "180"},
		{"more and more", []uint64{4, 8, 12, 16, 20}, "200 133 100"},
		{"a little is gained", []uint64{18, 19}, ""},
		{"much, and less again", []uint64{12, 100, 12}, "180 100 180"},
		{"from little to much", []uint64{4, 400}, "200 100"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var set []string
			p := &Pacer{least: 12 * mib, percent: usual, set: func(n int) { set = append(set, fmt.Sprint(n)) }}
			for _, n := range tc.left {
				p.look(n*mib/4, 2*mib)
			}
			if got := strings.Join(set, " "); got != tc.want {
				t.Errorf("set %q, want %q", got, tc.want)
			}
		})
	}
}

// percent is GOGC as it is.
func percent() uint64 {
	s := []metrics.Sample{{Name: "/gc/gogc:percent"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

// reach collects until the percentage is as it should be.
func reach(t *testing.T, what string, ok func(uint64) bool) {
	t.Helper()
	for until := time.Now().Add(20 * time.Second); !ok(percent()); time.Sleep(time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("%s: GOGC is %d", what, percent())
		}
		runtime.GC()
	}
}

func TestPace(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(usual))
	p := Pace(256 * mib)
	reach(t, "little is left", func(n uint64) bool { return n == most })
	if heap, roots := left(); heap == 0 || roots == 0 || heap+roots > 128*mib {
		t.Errorf("%d bytes are left, %d were looked through", heap, roots)
	}
	much := make([]byte, 200*mib)
	reach(t, "much is left", func(n uint64) bool { return n == usual })
	runtime.KeepAlive(much)
	much = nil
	reach(t, "little is left again", func(n uint64) bool { return n == most })
	p.Stop()
	reach(t, "it was stopped", func(n uint64) bool { return n == usual })
}
