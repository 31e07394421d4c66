package connlimit

import (
	"encoding/binary"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A desk is a limit with connections that bring what the test says, to be used in
// a bubble.
type desk struct {
	*Limit
	t   *testing.T
	all []*guest

	mu     sync.Mutex
	went   []string // names of the connections that have brought all they had
	closed []string // "CAUSE ADDRESS", in order
}

// bubble runs a test at a desk.
func bubble(t *testing.T, test func(*testing.T, *desk)) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk{t: t}
		d.Limit = New(1024, func(c Cause, a netip.Addr) {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.closed = append(d.closed, string(c)+" "+a.String())
		})
		defer func() {
			for _, g := range d.all { // and so whatever waits
				g.conn.Close()
			}
		}()
		test(t, d)
	})
}

// A guest is a session of a desk.
type guest struct {
	*session
	name  string
	asked uint32 // the stream it asked for last
}

// closable is a connection that can be closed.
type closable struct{ net.Conn }

func (closable) Close() error { return nil }

// speak opens a connection that speaks HTTP/2. An empty address is that of a unix
// socket.
func (d *desk) speak(name, addr string) *guest {
	d.t.Helper()
	c := &conn{Conn: closable{}, limit: d.Limit}
	if addr != "" {
		c.addr = netip.MustParseAddr(addr)
	}
	if !d.enter(c) {
		d.t.Fatal("refused")
	}
	g := &guest{session: d.session(c), name: name}
	d.all = append(d.all, g)
	return g
}

// ask has so many requests come on g, in the background.
func (d *desk) ask(g *guest, requests int) {
	var stream []byte
	for range requests {
		stream = append(stream, g.header()...)
	}
	d.send(g, stream)
}

// send has frames come on g, in the background.
func (d *desk) send(g *guest, frames []byte) {
	go func() {
		name := g.name
		if !g.came(frames) {
			name += " is closed"
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		d.went = append(d.went, name)
	}()
	synctest.Wait()
}

// header is the frame that g's next request begins with.
func (g *guest) header() []byte {
	if g.asked++; g.asked%2 == 0 {
		g.asked++
	}
	return binary.BigEndian.AppendUint32([]byte{0, 0, 0, frameHeaders, endStream | endHeaders}, g.asked)
}

// serve has n requests come on g, whatever the room, and handlers for them begin.
func (g *guest) serve(n int) {
	for range n {
		g.header()
		g.hold(g.asked, 0)
	}
	g.handle(n)
}

// want waits until nobody can do anything, and checks who has gone on.
func (d *desk) want(names ...string) {
	d.t.Helper()
	synctest.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	if !slices.Equal(d.went, names) {
		d.t.Fatalf("%v went on, want %v", d.went, names)
	}
}

// names are of those who have gone on, once nobody can do anything.
func (d *desk) names() []string {
	synctest.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.went)
}

// wantClosed checks which connections the limit has closed.
func (d *desk) wantClosed(closed ...string) {
	d.t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	if !slices.Equal(d.closed, closed) {
		d.t.Errorf("closed %v, want %v", d.closed, closed)
	}
}

const (
	one   = "192.0.2.1"
	two   = "192.0.2.2"
	three = "192.0.2.3"
)

// A request counts from its header to the end of its answer, its handler beside it,
// and nothing of it while it has a place.
func TestRoomOfAnAddress(t *testing.T) {
	bubble(t, func(t *testing.T, d *desk) {
		a, b, c := d.speak("a", one), d.speak("b", one), d.speak("c", one)
		d.ask(a, 50)
		d.ask(b, 50)
		d.want("a", "b")
		d.ask(c, 29) // one too many
		d.want("a", "b")
		d.ask(d.speak("other", two), 100)
		d.want("a", "b", "other")
		a.handle(50)
		a.place(25)
		d.want("a", "b", "other") // 128
		a.place(1)
		d.want("a", "b", "other", "c") // 127
	})
}

// Who gives up requests that have places gains no room by it.
func TestGivenUp(t *testing.T) {
	bubble(t, func(t *testing.T, d *desk) {
		g := d.speak("g", one)
		g.serve(50)
		g.place(50)
		endAll(g)
		if n := d.weight.Load(); n != 0 {
			t.Errorf("they weigh %d", n)
		}
		g.place(-50)
		if n := d.weight.Load(); n != 50 {
			t.Errorf("their handlers weigh %d", n)
		}
	})
}

// In the end nothing is left of an address, in whatever order it ends.
func TestNothingIsLeft(t *testing.T) {
	for _, tc := range []struct {
		name string
		end  func(*guest)
	}{
		{"as usual", func(g *guest) { g.place(-5); g.handle(-5); endAll(g); g.conn.Close() }},
		{"the handlers last", func(g *guest) { endAll(g); g.place(-5); g.conn.Close(); g.handle(-5) }},
		{"the connection first", func(g *guest) { g.conn.Close(); g.place(-5); g.handle(-5); endAll(g) }},
		{"no answer", func(g *guest) { g.place(-5); g.handle(-5); g.conn.Close() }},
		{"a stream after all", func(g *guest) { g.place(-5); g.handle(-5); g.conn.Close(); g.hold(g.asked+2, 0) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, d *desk) {
				g := d.speak("g", one)
				g.serve(5)
				g.place(5)
				tc.end(g)
				if n := d.weight.Load(); n != 0 || g.weight.Load() != 0 || g.conn.from.weight.Load() != 0 {
					t.Errorf("%d is left of all, and %d of its connection", n, g.weight.Load())
				}
				if len(d.addresses) != 0 || len(d.sessions) != 0 || d.Open() != 0 {
					t.Errorf("%d addresses and %d connections are left", len(d.addresses), len(d.sessions))
				}
			})
		})
	}
}

// endAll ends all streams.
func endAll(g *guest) {
	for stream := uint32(1); stream <= g.asked; stream += 2 {
		g.end(stream)
	}
}

// Who has least under way goes first: the address, the connection, who came first.
func TestWhoGoesOnFirst(t *testing.T) {
	bubble(t, func(t *testing.T, d *desk) {
		full := d.speak("full", three)
		full.serve(192) // all but the last quarter, and of its own address all
		light, busy, busier := d.speak("light", one), d.speak("busy", two), d.speak("busier", two)
		first, last := d.speak("first", two), d.speak("last", two)
		light.serve(20)
		busy.serve(20)
		busier.serve(21)
		d.speak("", two).serve(1)
		for _, g := range []*guest{busier, busy, first, last, light} {
			d.ask(g, 1)
			time.Sleep(time.Millisecond)
		}
		d.want()
		full.place(62) // what they have under way, and what is full weigh 384
		went := []string{}
		for i, next := range []string{"light", "first", "last", "busy", "busier"} {
			full.handle(-1) // there is room for one
			went = append(went, next)
			if d.want(went...); i == 0 && d.weight.Load() != 384 {
				t.Errorf("all weigh %d", d.weight.Load())
			}
		}
	})
}

// Who has waited for a second goes before others of its address.
func TestLateGoFirst(t *testing.T) {
	bubble(t, func(t *testing.T, d *desk) {
		full, busy := d.speak("full", one), d.speak("busy", one)
		full.serve(63)
		busy.serve(1)
		d.ask(busy, 1)
		time.Sleep(patience + look)
		d.ask(d.speak("new", one), 1)
		full.handle(-1)
		d.want("busy")
	})
}

// The last quarter of all room is for addresses that have little under way, and a
// unix socket has no addresses.
func TestRoomOfAll(t *testing.T) {
	bubble(t, func(t *testing.T, d *desk) {
		socket := d.speak("socket", "")
		socket.serve(100)
		d.ask(socket, 1)
		d.want("socket")
		socket.serve(75)
		busy := d.speak("busy", one)
		busy.serve(17) // 385
		d.ask(busy, 1)
		d.ask(socket, 1)
		d.want("socket")
		want := []string{"socket"}
		for i := range 4 { // 31 each
			light := d.speak("light", netip.AddrFrom4([4]byte{192, 0, 2, byte(10 + i)}).String())
			light.serve(15)
			d.ask(light, 1)
			want = append(want, "light")
		}
		d.want(want...)
		if n := d.weight.Load(); n != 385+4*31 {
			t.Errorf("all weigh %d", n)
		}
		d.ask(d.speak("light too", three), 3)
		d.want(append(want, "light too")...) // 512
		d.ask(d.speak("late", "192.0.2.4"), 1)
		d.want(append(want, "light too")...)
	})
}

// Who does not take answers goes after a second, whoever has most of them.
func TestUntaken(t *testing.T) {
	bubble(t, func(t *testing.T, d *desk) {
		some, most, other := d.speak("some", one), d.speak("most", one), d.speak("other", two)
		for g, n := range map[*guest]int{some: 50, most: 78, other: 200} {
			g.serve(n)
			g.handle(-n)
		}
		d.ask(d.speak("new", one), 1)
		time.Sleep(patience - time.Millisecond)
		d.want()
		d.wantClosed()
		time.Sleep(look)
		d.wantClosed("untaken " + one)
		if !most.conn.gone || d.Open() != 3 {
			t.Error("it is not the one with most answers")
		}
		d.want()
		most.conn.Close() // as its server does then
		d.want("new")
	})
}

// Of 256 connections, none of which takes its answer, half wait until the others go, one
// after the other. A known caller of their address gets the first place.
func TestUntakenByStrangers(t *testing.T) {
	for _, tc := range []struct {
		known bool
		want  time.Duration
	}{{true, patience}, {false, patience + 128*look}} {
		bubble(t, func(t *testing.T, d *desk) {
			for range 256 {
				d.ask(d.speak("stranger", one), 1)
			}
			caller, begun := d.speak("caller", one), time.Now()
			caller.conn.known.Store(tc.known)
			d.ask(caller, 1)
			for time.Since(begun) < time.Minute && !slices.Contains(d.names(), "caller") {
				time.Sleep(look)
				d.Limit.mu.Lock()
				i := slices.IndexFunc(d.all, func(g *guest) bool { return g.conn.leaving })
				d.Limit.mu.Unlock()
				if i >= 0 {
					d.all[i].conn.Close() // as its server does then
				}
			}
			if took := time.Since(begun); took < tc.want || took > tc.want+2*look {
				t.Errorf("known: %v: the caller waited for %v, want %v", tc.known, took, tc.want)
			}
		})
	}
}

// Requests that run are nobody's fault: nobody is closed for them, nor for having
// waited.
func TestNobodyGoesForWhatRuns(t *testing.T) {
	bubble(t, func(t *testing.T, d *desk) {
		a := d.speak("a", one)
		a.serve(64)
		d.ask(d.speak("b", one), 1)
		time.Sleep(10 * patience)
		d.want()
		d.wantClosed()
		a.place(1)
		d.want("b")
	})
}

// Who waits hears at once that the connection is closed.
func TestCloseWhileWaiting(t *testing.T) {
	bubble(t, func(t *testing.T, d *desk) {
		d.speak("", one).serve(64)
		a, b := d.speak("a", one), d.speak("b", one)
		d.ask(a, 1)
		a.conn.Close()
		d.want("a is closed")
		b.conn.Close()
		d.ask(b, 1)
		d.want("a is closed", "b is closed")
	})
}
