package connlimit

import (
	"bytes"
	"encoding/binary"
	"testing"
	"time"
)

// A stream weighs what it holds, and no more than most. The connection has no stream.
func TestWeightOf(t *testing.T) {
	for _, tc := range []struct {
		stream uint32
		held   int
		want   int
	}{
		{1, 0, 1}, {1, unit - 1, 1}, {1, unit, 2}, {1, 30 * unit, 31}, {1, 31 * unit, 32}, {1, 1 << 30, 32},
		{0, 0, 0}, {0, unit - 1, 0}, {0, unit, 1}, {0, 32 * unit, 32}, {0, 1 << 30, 32},
	} {
		if got := weightOf(tc.stream, tc.held); got != tc.want {
			t.Errorf("stream %d with %d bytes weighs %d, want %d", tc.stream, tc.held, got, tc.want)
		}
	}
}

func TestStreamsWeigh(t *testing.T) {
	s := streams{held: map[uint32]int{}}
	for stream, held := range map[uint32]int{0: 3 * unit, 1: 0, 3: unit, 5: 4 * unit, 7: 100 * unit} {
		s.add(stream, held)
	}
	s.add(5, 2*unit)
	s.add(7, 100*unit)
	for n, want := range []int{3 + 1 + 2 + 7 + 32, 3 + 1 + 2 + 7, 3 + 1 + 2, 1 + 2, 1, 0, 0} {
		if got := s.without(n); got != want {
			t.Errorf("without the %d heaviest they weigh %d, want %d", n, got, want)
		}
	}
	for stream := range uint32(9) {
		s.end(stream)
	}
	if s.all != 0 || len(s.held) != 0 || s.of != [most + 1]uint32{} {
		t.Errorf("%+v is left", s)
	}
}

// frame returns a frame of g's, whose payload is zeros.
func (g *guest) frame(kind, flags byte, stream uint32, length int) []byte {
	header := binary.BigEndian.AppendUint32([]byte{0, byte(length >> 8), byte(length), kind, flags}, stream)
	return append(header, make([]byte, length)...)
}

// say has p be written to g, or come from there. It reports whether g is still open.
func (g *guest) say(ours bool, p []byte) bool {
	if ours {
		g.went(p)
		return true
	}
	return g.came(p)
}

// What frames bring is weighed, and for how long.
func TestFramesWeigh(t *testing.T) {
	type sent struct {
		ours        bool // it is an answer
		kind, flags byte
		stream      uint32
		length      int
		times       int
	}
	header := sent{false, frameHeaders, endHeaders, 1, 100, 1}
	for _, tc := range []struct {
		name string
		sent []sent
		want int64
	}{
		{"a short header", []sent{header}, 1},
		{"one with a token", []sent{{false, frameHeaders, endHeaders, 1, 1400, 1}}, 3},
		{"a long one", []sent{{false, frameHeaders, endHeaders, 1, 16 << 10, 1}}, most},
		{"one that goes on", []sent{{false, frameHeaders, 0, 1, 1, 1}, {false, frameContinuation, 0, 1, 1000, 60}}, most},
		{"short ones", []sent{header, {false, frameHeaders, endHeaders, 3, 100, 1}}, 2},
		{"a trailer", []sent{header, {false, frameHeaders, endHeaders, 1, 1400, 1}}, 3},
		{"no trailer", []sent{header, {true, frameData, endStream, 1, 0, 1}, {false, frameHeaders, endHeaders, 1, 1400, 1}}, 0},
		{"a body", []sent{header, {false, frameData, 0, 1, unit, 4}}, 5},
		{"one in small pieces", []sent{header, {false, frameData, 0, 1, 10, 5 * unit / 10}}, 6},
		{"a large one", []sent{header, {false, frameData, 0, 1, unit, 100}}, most},
		{"that is answered", []sent{header, {false, frameData, 0, 1, unit, 4}, {true, frameHeaders, endHeaders | endStream, 1, 9, 1}}, 0},
		{"that is given up", []sent{header, {false, frameData, 0, 1, unit, 4}, {false, frameReset, 0, 1, 4, 1}}, 0},
		{"some PINGs", []sent{{false, framePing, 0, 0, 8, 63}}, 0},
		{"PINGs", []sent{{false, framePing, 0, 0, 8, 640}}, 10},
		{"that are answered", []sent{{false, framePing, 0, 0, 8, 640}, {true, framePing, 1, 0, 8, 1}}, 0},
		{"SETTINGS", []sent{{false, frameSettings, 0, 0, 0, 640}}, 10},
		{"priorities", []sent{{false, framePriority, 0, 1, 5, 640}}, 10},
		{"windows", []sent{header, {false, frameWindow, 0, 1, 4, 640}}, 11},
		{"data for nobody", []sent{{false, frameData, 0, 1, 1, 640}}, 10},
		{"others", []sent{{false, 0x10, 0, 0, 8, 10000}}, 0},
		{"behind a GOAWAY", []sent{header, {true, frameGoAway, 0, 0, 8, 1}, {false, frameHeaders, endHeaders, 3, 1400, 1}}, 0},
	} {
		bubble(t, func(t *testing.T, d *desk) {
			g := d.speak("g", one)
			for _, f := range tc.sent {
				for range f.times {
					if !g.say(f.ours, g.frame(f.kind, f.flags, f.stream, f.length)) {
						t.Fatal(tc.name, ": closed")
					}
				}
			}
			if n := g.weight.Load(); n != tc.want {
				t.Errorf("%s: it weighs %d, want %d", tc.name, n, tc.want)
			}
			g.conn.Close()
			if n := d.weight.Load(); n != 0 {
				t.Errorf("%s: in the end %d is left", tc.name, n)
			}
		})
	}
}

// Requests that have places weigh nothing, however large they are, and their bodies
// wait for nobody.
func TestLargeWithPlaces(t *testing.T) {
	bubble(t, func(t *testing.T, d *desk) {
		g := d.speak("g", one)
		g.came(g.frame(frameHeaders, endHeaders, 1, 16<<10))
		g.came(g.frame(frameHeaders, endHeaders, 3, 100))
		g.handle(2)
		if n := g.weight.Load(); n != most+1+2 {
			t.Errorf("they weigh %d", n)
		}
		g.place(1)
		if n := g.weight.Load(); n != 1+1 {
			t.Errorf("with a place for the larger one they weigh %d", n)
		}
		g.place(1)
		d.speak("full", one).serve(64)
		d.send(g, g.frame(frameData, 0, 3, unit))
		d.want("g")
		if n := g.weight.Load(); n != 0 {
			t.Errorf("with places they weigh %d", n)
		}
	})
}

// A body, a trailer and PINGs wait for room, and may come too late.
func TestLargeWaits(t *testing.T) {
	for _, tc := range []struct {
		name         string
		kind, flags  byte
		stream       uint32
		length, many int
		weighs       int64 // with the request's handler
		ended        int64 // fewer where the stream ends meanwhile
	}{
		{"a body", frameData, 0, 1, unit, 1, 3, 2},
		{"a trailer", frameHeaders, endHeaders, 1, 600, 1, 3, 2},
		{"PINGs", framePing, 0, 0, 8, 64, 3, 1},
	} {
		for _, ends := range []bool{false, true} {
			bubble(t, func(t *testing.T, d *desk) {
				full, g := d.speak("full", one), d.speak("g", one)
				g.came(g.frame(frameHeaders, endHeaders, 1, 100))
				g.handle(1)
				full.serve(64)
				d.send(g, bytes.Repeat(g.frame(tc.kind, tc.flags, tc.stream, tc.length), tc.many))
				time.Sleep(2 * patience)
				d.want() // nobody
				want := tc.weighs
				if ends {
					g.end(1)
					want -= tc.ended
				}
				full.handle(-3)
				d.want("g")
				if n := g.weight.Load(); n != want {
					t.Errorf("%s: it weighs %d, want %d", tc.name, n, want)
				}
			})
		}
	}
}
