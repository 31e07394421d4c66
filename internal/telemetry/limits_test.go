package telemetry

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestTally(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said []int
		tally := NewTally(func(n int, _ string) { said = append(said, n) })
		for range 25 { // 24 s
			tally.Add("a")
			tally.Add("b")
			time.Sleep(time.Second)
		}
		// At once, after 10 s and after 20 s, each with what came since.
		if want := []int{1, 20, 20}; !slices.Equal(said, want) {
			t.Errorf("said %v, want %v", said, want)
		}
	})
}

func TestLimits(t *testing.T) {
	m := New(Options{
		ConnectionCauses: []string{"waiting", "idle"}, RequestKinds: []string{"public"},
		State: State{Connections: func() int { return 7 }},
	})
	m.ConnectionClosed("idle")
	m.ConnectionClosed("anything")
	m.RequestRefused("public")
	text := strings.Join(scrape(t, m), "\n") + "\n"
	for _, want := range []string{
		"sallyport_connections 7\n",
		`sallyport_connections_closed_total{cause="idle"} 1` + "\n",
		`sallyport_connections_closed_total{cause="other"} 1` + "\n",
		`sallyport_connections_closed_total{cause="waiting"} 0` + "\n",
		`sallyport_requests_refused_total{kind="public"} 1` + "\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q", want)
		}
	}
}
