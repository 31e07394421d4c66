package traceparent

import (
	"net/http"
	"regexp"
	"testing"
)

const (
	trace = "4bf92f3577b34da6a3ce929d0e0e4736"
	span  = "00f067aa0ba902b7"
)

func TestOf(t *testing.T) {
	yes, no := Parent{trace, span, true}, Parent{trace, span, false}
	for _, tt := range []struct {
		value string
		want  Parent // zero: none
	}{
		{"00-" + trace + "-" + span + "-01", yes},
		{"00-" + trace + "-" + span + "-00", no},
		{"00-" + trace + "-" + span + "-03", yes}, // random, of level 2
		{"00-" + trace + "-" + span + "-02", no},
		{"00-" + trace + "-" + span + "-ff", yes},
		{"01-" + trace + "-" + span + "-01-more", yes},
		{"cc-" + trace + "-" + span + "-00", no},
		{"00-" + trace + "-" + span + "-01-more", Parent{}},
		{"ff-" + trace + "-" + span + "-01", Parent{}},
		{"00-" + trace + "-" + span, Parent{}},
		{"00-" + trace + "-" + span + "-", Parent{}},
		{"00-" + trace + "-" + span + "-1", Parent{}},
		{"00-" + trace + "-" + span + "-0A", Parent{}},
		{"00-" + trace + "-" + span[1:] + "-01", Parent{}},
		{"00-" + trace + "-0000000000000000-01", Parent{}},
		{"00-00000000000000000000000000000000-" + span + "-01", Parent{}},
		{"00-4BF92F3577B34DA6A3CE929D0E0E4736-" + span + "-01", Parent{}},
		{" 00-" + trace + "-" + span + "-01", Parent{}},
		{"", Parent{}},
	} {
		got, ok := Of(http.Header{Name: {tt.value}})
		if got != tt.want || ok != (tt.want != Parent{}) {
			t.Errorf("%q: %+v, %v", tt.value, got, ok)
		}
	}
	good := yes.String()
	if got, ok := Of(http.Header{Name: {good, good}}); ok {
		t.Errorf("two: %+v", got)
	}
	if got, ok := Of(http.Header{}); ok {
		t.Errorf("none: %+v", got)
	}
}

// What is taken is what the specification's grammar has, and says the same again.
func FuzzOf(f *testing.F) {
	f.Add("00-" + trace + "-" + span + "-01")
	f.Add("01-" + trace + "-" + span + "-00-x")
	f.Add("01-" + trace + "-" + span + "-00-\n")
	grammar := regexp.MustCompile(`(?s)^(00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}|([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?)$`)
	f.Fuzz(func(t *testing.T, value string) {
		p, ok := Of(http.Header{Name: {value}})
		if !ok {
			return
		}
		if !grammar.MatchString(value) {
			t.Errorf("%q is none", value)
		}
		if again, ok := Of(http.Header{Name: {p.String()}}); !ok || again != p {
			t.Errorf("%q: %+v, then %+v", value, p, again)
		}
	})
}

func TestNoAllocation(t *testing.T) {
	h := http.Header{Name: {"00-" + trace + "-" + span + "-01"}}
	if n := testing.AllocsPerRun(100, func() { Of(h) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
