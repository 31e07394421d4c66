package connlimit

import (
	"net"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// enter has a connection from addr come to l.
func enter(t *testing.T, l *Limit, addr string) *conn {
	near, far := net.Pipe()
	t.Cleanup(func() { far.Close() })
	c := &conn{Conn: near, limit: l, addr: netip.MustParseAddr(addr)}
	l.enter(c)
	return c
}

// Of the large headers of one address one is read after the other.
func TestTurns(t *testing.T) {
	const small, large = largeHeader / 2, largeHeader + 1
	for name, tc := range map[string]struct {
		addr  string
		bytes int
		took  time.Duration       // the turn before
		then  func(*Limit, *conn) // what becomes of the one before
		waits time.Duration
	}{
		"expired":            {"127.0.0.2", large, 0, func(*Limit, *conn) {}, turn - 2*pause},
		"has begun":          {"127.0.0.2", large, 0, func(l *Limit, c *conn) { l.begin(c) }, 0},
		"closed":             {"127.0.0.2", large, 0, func(_ *Limit, c *conn) { c.Close() }, 0},
		"about to close":     {"127.0.0.2", large, 0, func(_ *Limit, c *conn) { c.CloseWrite() }, 0},
		"closed by us":       {"127.0.0.2", large, 0, func(l *Limit, c *conn) { l.makeRoom() }, 0},
		"took a while":       {"127.0.0.2", large, turn / 2, func(l *Limit, c *conn) { l.begin(c) }, turn / 2},
		"another address":    {"127.0.0.3", large, 0, nil, 0},
		"an ordinary header": {"127.0.0.2", small, 0, nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := New(64, func(Cause, netip.Addr) {})
				first, second := enter(t, l, "127.0.0.2"), enter(t, l, tc.addr)
				l.arrived(first, large, 1)
				l.arrived(first, large, 1) // once is enough
				if tc.bytes == large {
					tc.waits += pause // its own
				}
				began, done := time.Now(), make(chan struct{})
				go func() {
					l.arrived(second, tc.bytes, 1)
					close(done)
				}()
				time.Sleep(tc.took)
				synctest.Wait()
				if tc.then != nil {
					select {
					case <-done:
						t.Error("did not wait")
					default:
					}
					tc.then(l, first)
				}
				<-done
				if took := time.Since(began); took != tc.waits {
					t.Errorf("waited for %v, want %v", took, tc.waits)
				}
				first.Close()
				second.Close()
				time.Sleep(turn)
				synctest.Wait()
				l.mu.Lock()
				defer l.mu.Unlock()
				if len(l.addresses) != 0 {
					t.Errorf("%d addresses are left, with their turns", len(l.addresses))
				}
			})
		})
	}
}

// Where the callers are known, they wait for each other and for no stranger, and not for
// longer than a turn takes.
func TestTurnsOfTheKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(64, func(Cause, netip.Addr) {})
		arrive := func(known bool) (c *conn, waited chan time.Duration) {
			c = enter(t, l, "127.0.0.2")
			l.Placed(l.Context(t.Context(), c), 1, known)
			l.Placed(l.Context(t.Context(), c), -1, false)
			began, waited := time.Now(), make(chan time.Duration, 1)
			go func() {
				l.arrived(c, largeHeader+1, 1)
				waited <- time.Since(began)
			}()
			synctest.Wait()
			return c, waited
		}
		for _, want := range []time.Duration{pause, turn} {
			if _, waited := arrive(false); <-waited != want {
				t.Errorf("a stranger did not wait for %v", want)
			}
		}
		one, waited := arrive(true)
		if d := <-waited; d != 0 {
			t.Errorf("a known caller waited for %v, want none", d)
		}
		_, waited = arrive(true)
		time.Sleep(turn / 2)
		l.begin(one)
		if d := <-waited; d != turn/2 {
			t.Errorf("another waited for %v, want %v", d, turn/2)
		}
	})
}

// Others have their turn between the pieces of a stranger's large header.
func TestPieces(t *testing.T) {
	for _, tc := range []struct {
		name         string
		known        bool
		reads, bytes int
		lines        int // of each
		want         time.Duration
	}{
		{"64 KiB", false, 16, 4 << 10, 0, 9 * pause}, // 8 KiB are not large yet
		{"at once", false, 1, 64 << 10, 0, 10 * pause},
		{"16 KiB", false, 4, 4 << 10, 0, 1 * pause},
		{"8 KiB", false, 2, 4 << 10, 0, 0},
		{"known", true, 16, 4 << 10, 0, 0},
		{"many lines", false, 2, 4 << 10, 128, 6 * pause},
		{"nothing else", false, 1, 4 << 10, 4 << 10, turn},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := New(1024, func(Cause, netip.Addr) {})
				c := enter(t, l, one)
				c.known.Store(tc.known)
				began := time.Now()
				for range tc.reads {
					l.arrived(c, tc.bytes, tc.lines)
				}
				if took := time.Since(began); took != tc.want {
					t.Errorf("paused for %v, want %v", took, tc.want)
				}
				c.Close()
			})
		})
	}
}

// Whole requests that come at the same time are served one after the other, however
// much they are together.
func TestTurnsWeighNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one := netip.MustParseAddr("127.0.0.2")
		l := New(64, func(cause Cause, _ netip.Addr) { t.Error("closed:", cause) })
		var served sync.WaitGroup
		all := make(chan struct{})
		for range l.maxHeader/largeHeader + 1 { // more than may be unfinished
			c := enter(t, l, one.String())
			served.Go(func() {
				l.arrived(c, largeHeader+1, 1)
				<-all
				l.begin(c)
				l.end(c)
			})
		}
		synctest.Wait() // one has its turn, and all others wait
		close(all)
		served.Wait()
		time.Sleep(turn)
		l.mu.Lock()
		defer l.mu.Unlock()
		if turns := l.addresses[one].large; l.header != 0 || turns != nil {
			t.Errorf("%d bytes and the turns %v are left", l.header, turns)
		}
	})
}

// Nothing is left of who was closed while it waited, nor of who had its turn before it.
func TestTurnOfTheGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(64, func(Cause, netip.Addr) {})
		var both [2]*conn
		for i := range both {
			both[i] = enter(t, l, "127.0.0.2")
			go l.arrived(both[i], largeHeader+1, 1)
			synctest.Wait()
		}
		both[1].Close()
		both[0].Close()
		time.Sleep(2 * turn)
		synctest.Wait()
		if len(l.addresses) != 0 {
			t.Errorf("%d addresses are left", len(l.addresses))
		}
	})
}

// Of HTTP/2 connections that have had a large header, so many are left idle, half of
// them of one address; the others, and those with a request under way, are left alone.
func TestLargeIdle(t *testing.T) {
	for _, tc := range []struct {
		name   string
		from   func(i int) string // the address of connection i
		frame  func(*guest) []byte
		ends   bool
		closed int // of 100
	}{
		{"one address", same, func(g *guest) []byte { return g.frame(frameHeaders, endHeaders, 1, largeHeader+1) }, true, 100 - largeIdle/2},
		{"in frames", same, func(g *guest) []byte { return g.frame(frameHeaders, 0, 1, 10) }, true, 100 - largeIdle/2},
		{"not large", same, func(g *guest) []byte { return g.frame(frameHeaders, endHeaders, 1, largeHeader) }, true, 0},
		{"a body", same, func(g *guest) []byte { return g.frame(frameData, 0, 1, 16<<10) }, true, 0},
		{"many addresses", other, func(g *guest) []byte { return g.frame(frameHeaders, 0, 1, 10) }, true, 100 - largeIdle},
		{"a unix socket", func(int) string { return "" }, func(g *guest) []byte { return g.frame(frameHeaders, 0, 1, 10) }, true, 100 - largeIdle},
		{"under way", other, func(g *guest) []byte { return g.frame(frameHeaders, 0, 1, 10) }, false, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, d *desk) {
				var all []*guest
				for i := range 100 {
					g := d.speak("g", tc.from(i))
					all = append(all, g)
					g.place(1) // no room is needed
					g.came(tc.frame(g))
					if tc.ends {
						g.place(-1)
						g.end(1)
					}
					time.Sleep(time.Millisecond)
				}
				closed := 0
				for i, g := range all {
					if g.conn.gone {
						if closed++; i != closed-1 {
							t.Errorf("the %dth to be closed was connection %d", closed, i)
						}
					}
				}
				if closed != tc.closed || len(d.closed) != closed {
					t.Errorf("%d were closed, want %d: %v", closed, tc.closed, d.closed)
				}
			})
		})
	}
}

func same(int) string    { return one }
func other(i int) string { return netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}).String() }

// Who was closed by us while it waited ends at once: it is one of those leaving until then,
// and these have others of its address refused.
func TestGoneInLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(64, func(Cause, netip.Addr) {})
		var conns [3]*conn
		ended := make(chan time.Duration, len(conns))
		begun := time.Now()
		for i := range conns {
			conns[i] = enter(t, l, "127.0.0.2")
			go func() {
				l.arrived(conns[i], largeHeader+1, 1)
				ended <- time.Since(begun)
			}()
			synctest.Wait()
		}
		<-ended // has its turn
		l.mu.Lock()
		l.dismiss(conns[2])
		l.mu.Unlock()
		if d := <-ended; d != pause {
			t.Errorf("it waited for %v, want none", d-pause)
		}
		for _, c := range conns {
			c.Close()
		}
		<-ended
	})
}
