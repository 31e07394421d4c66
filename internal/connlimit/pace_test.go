package connlimit

import (
	"bytes"
	"testing"
	"time"
)

// Frames that bring no request on are read a hundred in a second, beside those that
// answers cause; all others at once.
func TestPace(t *testing.T) {
	type sent struct {
		ours        bool // it is an answer
		kind, flags byte
		stream      uint32
		length      int
	}
	begins, ends := sent{false, frameHeaders, endHeaders, 1, 100}, sent{true, frameHeaders, endHeaders | endStream, 1, 100}
	ping, window := sent{false, framePing, 0, 0, 8}, sent{false, frameWindow, 0, 0, 4}
	answer := func(length int) sent { return sent{true, frameData, 0, 1, length} }
	for _, tc := range []struct {
		name  string
		first []sent
		then  []sent
		times int
		want  time.Duration
	}{
		{"a few PINGs", nil, []sent{ping}, 100, 0},
		{"PINGs", nil, []sent{ping}, 101, time.Second},
		{"PINGs and their answers", nil, []sent{ping, {true, framePing, 1, 0, 8}}, 350, 3 * time.Second},
		{"SETTINGS", nil, []sent{{false, frameSettings, 0, 0, 0}}, 101, time.Second},
		{"windows", []sent{begins}, []sent{window}, 101, time.Second},
		{"priorities", nil, []sent{{false, framePriority, 0, 1, 5}}, 101, time.Second},
		{"others", nil, []sent{{false, 0x10, 0, 0, 0}}, 101, time.Second},
		{"resets of nobody", nil, []sent{{false, frameReset, 0, 1, 4}}, 101, time.Second},
		{"data for nobody", nil, []sent{{false, frameData, 0, 1, 1}}, 101, time.Second},
		{"data for who is answered", []sent{begins, ends}, []sent{{false, frameData, 0, 1, 1}}, 105, time.Second},
		{"no data", []sent{begins}, []sent{{false, frameData, 0, 1, 0}}, 101, time.Second},
		{"no header", []sent{{false, frameHeaders, 0, 1, 0}}, []sent{{false, frameContinuation, 0, 1, 0}}, 101, time.Second},

		{"a header in pieces", []sent{{false, frameHeaders, 0, 1, 1}}, []sent{{false, frameContinuation, 0, 1, 1}}, 1000, 0},
		{"a body in pieces", []sent{begins}, []sent{{false, frameData, 0, 1, 1}}, 1000, 0},
		{"empty bodies", nil, []sent{begins, {false, frameData, endStream, 1, 0}}, 101, 0},
		{"requests, given up", nil, []sent{begins, {false, frameReset, 0, 1, 4}}, 1000, 0},
		{"an answer in pieces, with windows and PINGs", []sent{begins}, []sent{answer(1), window, window, ping}, 1000, 0},
		{"one in large pieces", []sent{begins}, []sent{answer(4 << 10), window, window, window, window, window, window, window, window}, 1000, 0},
		{"answers in no pieces", nil, []sent{begins, ends, window, window}, 1000, 0},
	} {
		bubble(t, func(t *testing.T, d *desk) {
			g, last := d.speak("g", one), uint32(1)
			send := func(all []sent) {
				for _, f := range all {
					if f == begins {
						last += 2
					}
					if f.stream > 0 {
						f.stream += last - 1
					}
					if !g.say(f.ours, g.frame(f.kind, f.flags, f.stream, f.length)) {
						t.Fatal(tc.name, ": closed")
					}
				}
			}
			send(tc.first)
			begun := time.Now()
			for range tc.times {
				send(tc.then)
			}
			if took := time.Since(begun); took != tc.want {
				t.Errorf("%s: they took %v, want %v", tc.name, took, tc.want)
			}
		})
	}
}

// Who waits learns that its connection is closed, and does not begin to when it is.
func TestPaceEnds(t *testing.T) {
	bubble(t, func(t *testing.T, d *desk) {
		g, begun := d.speak("g", one), time.Now()
		much := bytes.Repeat(g.frame(0x10, 0, 0, 8), freeFrames+1) // of an unknown type, which weighs nothing
		d.send(g, much)
		d.want()
		g.conn.Close()
		d.want("g is closed")
		d.all = append(d.all, &guest{session: d.session(g.conn), name: "late"}) // its preface came when it had to go
		d.send(d.all[1], much)
		d.want("g is closed", "late is closed")
		if time.Since(begun) > 0 {
			t.Error("it waited")
		}
	})
}

// What is left of a request whose answer has ended may come, of who is known; and
// nobody saves up for long.
func TestPaceBehindAnswers(t *testing.T) {
	for _, tc := range []struct {
		name  string
		known bool
		went  func(*guest)
		free  int
	}{
		{"given up by us", true, func(g *guest) { g.went(g.frame(frameReset, 0, 1, 4)) }, earlyFrames + freeFrames},
		{"of a stranger", false, func(g *guest) { g.went(g.frame(frameReset, 0, 1, 4)) }, freeFrames},
		{"of no stream", true, func(g *guest) { g.went(g.frame(frameReset, 0, 3, 4)) }, freeFrames},
		{"a large answer", true, func(g *guest) {
			for range 1000 {
				g.went(g.frame(frameData, 0, 1, 16<<10))
			}
		}, mostEarned + freeFrames},
	} {
		bubble(t, func(t *testing.T, d *desk) {
			g, begun := d.speak("g", one), time.Now()
			g.conn.known.Store(tc.known)
			g.came(g.frame(frameHeaders, endHeaders, 1, 100))
			tc.went(g)
			late := g.frame(frameData, 0, 1001, 1)
			for range tc.free {
				g.came(late)
			}
			if took := time.Since(begun); took > 0 {
				t.Errorf("%s: %d took %v", tc.name, tc.free, took)
			}
			if g.came(late); time.Since(begun) != time.Second {
				t.Errorf("%s: one more took %v", tc.name, time.Since(begun))
			}
		})
	}
}
