package connlimit

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
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
	all []*conn

	mu     sync.Mutex
	went   []string // names of the connections whose Read has returned
	closed []string // "CAUSE ADDRESS", in order
}

// bubble runs a test at a desk.
func bubble(t *testing.T, test func(*testing.T, *desk)) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk{t: t}
		d.Limit = New(1024, 100, func(c Cause, a netip.Addr) {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.closed = append(d.closed, string(c)+" "+a.String())
		})
		defer func() {
			for _, c := range d.all { // and so whatever waits
				c.Close()
			}
		}()
		test(t, d)
	})
}

// A wire is a connection whose Reads are never short of bytes, and that loses its
// answers when it is closed.
type wire struct {
	net.Conn
	name    string
	answers []chan bool
}

func (l *wire) Read(p []byte) (int, error) { return len(p), nil }

func (l *wire) Close() error {
	for _, a := range l.answers {
		select {
		case a <- true:
		default: // it was taken
		}
	}
	return nil
}

// speak opens a connection that speaks HTTP/2, in TLS. An empty address is that of
// a unix socket.
func (d *desk) speak(name, addr string) *conn {
	d.t.Helper()
	c := &conn{Conn: &wire{name: name}, limit: d.Limit, tls: true}
	if addr != "" {
		c.addr = netip.MustParseAddr(addr)
	}
	if !d.enter(c) {
		d.t.Fatal("refused")
	}
	d.speaksHTTP2(c)
	d.all = append(d.all, c)
	return c
}

// read reads so many requests of the smallest kind from c, in the background.
func (d *desk) read(c *conn, requests int) {
	go func() {
		name := c.Conn.(*wire).name
		if _, err := c.Read(make([]byte, requests*leastHeaders-1)); errors.Is(err, net.ErrClosed) {
			name += " is closed"
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		d.went = append(d.went, name)
	}()
	synctest.Wait()
}

// want waits until nobody can do anything, and checks whose Read has returned.
func (d *desk) want(names ...string) {
	d.t.Helper()
	synctest.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	if !slices.Equal(d.went, names) {
		d.t.Fatalf("%v went on, want %v", d.went, names)
	}
}

// serve has n requests begin on c.
func (d *desk) serve(c *conn, n int) {
	for range n {
		d.start(c)
	}
}

// answer has n requests on c answered, and returns what has each of them taken.
func (d *desk) answer(c *conn, n int) (taken []chan bool) {
	for range n {
		w := writer{closed: make(chan bool, 1)}
		d.finish(c, w)
		taken = append(taken, w.closed)
	}
	l := c.Conn.(*wire)
	l.answers = append(l.answers, taken...)
	return taken
}

type writer struct {
	http.ResponseWriter
	closed chan bool
}

func (w writer) CloseNotify() <-chan bool { return w.closed }

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

// What a Read may begin counts until net/http asks for more, and what has begun
// until it has a place or its answer is taken.
func TestRoomOfAnAddress(t *testing.T) {
	bubble(t, func(t *testing.T, d *desk) {
		a, b := d.speak("a", one), d.speak("b", one)
		d.read(a, 1000) // it may have 100 at a time
		d.read(b, 100)
		d.want("a", "b") // 400 of 256
		d.read(d.speak("c", one), 1)
		d.read(d.speak("other", two), 100)
		d.want("a", "b", "other")
		d.serve(a, 100)
		d.handedOut(a)
		d.want("a", "b", "other") // they run
		d.Placed(of(a), 72)
		d.want("a", "b", "other") // 256
		d.Placed(of(a), 1)
		d.want("a", "b", "other", "c")
	})
}

// of is the context of c's requests.
func of(c *conn) context.Context { return context.WithValue(context.Background(), connKey{}, c) }

// In the end nothing is left of an address.
func TestNothingIsLeft(t *testing.T) {
	bubble(t, func(t *testing.T, d *desk) {
		a, b := d.speak("a", one), d.speak("b", two)
		d.read(a, 100)
		d.serve(a, 30)
		d.serve(b, 5) // more than was read: it was handed out already
		d.Placed(of(b), 5)
		taken := d.answer(a, 30)
		a.Close()
		b.Close()
		d.Placed(of(b), -5)
		for _, answer := range append(taken, d.answer(b, 5)...) {
			select {
			case answer <- true:
			default: // closing has taken it
			}
		}
		synctest.Wait()
		if n := d.weight.Load(); n != 0 || a.weight.Load() != 0 || b.weight.Load() != 0 || a.untaken.Load() != 0 {
			t.Errorf("%d is left of all", n)
		}
		if len(d.addresses) != 0 || len(d.http2) != 0 || d.Open() != 0 {
			t.Errorf("%d addresses and %d connections are left", len(d.addresses), len(d.http2))
		}
	})
}

// Who has least under way goes first: the address, the connection, who came first.
func TestWhoGoesOnFirst(t *testing.T) {
	bubble(t, func(t *testing.T, d *desk) {
		full := d.speak("full", three)
		d.serve(full, 384) // all but the last quarter, and of its own address all
		light, busy, busier := d.speak("light", one), d.speak("busy", two), d.speak("busier", two)
		first, last := d.speak("first", two), d.speak("last", two)
		d.serve(light, 20)
		d.serve(busy, 20)
		d.serve(busier, 21)
		d.serve(d.speak("", two), 1)
		for _, c := range []*conn{busier, busy, first, last, light} {
			d.read(c, 10)
			time.Sleep(time.Millisecond)
		}
		d.want()
		d.Placed(of(full), 53)
		went := []string{}
		for _, next := range []string{"light", "first", "last", "busy", "busier"} {
			d.Placed(of(full), 10) // there is room for one
			went = append(went, next)
			d.want(went...)
		}
	})
}

// Who has waited for a second goes before others of its address.
func TestLateGoFirst(t *testing.T) {
	bubble(t, func(t *testing.T, d *desk) {
		full, busy := d.speak("full", one), d.speak("busy", one)
		d.serve(full, 128)
		d.serve(busy, 1)
		d.read(busy, 1)
		time.Sleep(patience + handingOut)
		d.read(d.speak("new", one), 1)
		d.Placed(of(full), 2)
		d.want("busy")
	})
}

// The last quarter of all room is for addresses that have little under way, and a
// unix socket has no addresses.
func TestRoomOfAll(t *testing.T) {
	bubble(t, func(t *testing.T, d *desk) {
		socket := d.speak("socket", "")
		d.serve(socket, 200)
		d.read(socket, 1)
		d.want("socket")
		d.handedOut(socket)
		d.went = nil
		d.serve(socket, 184)
		busy := d.speak("busy", one)
		d.serve(busy, 16)
		d.read(busy, 1)
		d.read(socket, 1)
		d.want()
		d.read(d.speak("light", two), 100)
		d.want("light") // 1,000 of 1,024
		d.read(d.speak("light too", three), 12)
		d.want("light", "light too") // 1,024
		d.read(d.speak("late", "192.0.2.4"), 1)
		d.want("light", "light too")
	})
}

// Who does not take answers goes after a second, whoever has most of them.
func TestUntaken(t *testing.T) {
	bubble(t, func(t *testing.T, d *desk) {
		some, most, other := d.speak("some", one), d.speak("most", one), d.speak("other", two)
		for c, n := range map[*conn]int{some: 100, most: 156, other: 400} {
			d.serve(c, n)
			d.answer(c, n)
		}
		d.read(d.speak("new", one), 1)
		time.Sleep(patience - time.Millisecond)
		d.want()
		d.wantClosed()
		time.Sleep(handingOut)
		d.want("new")
		d.wantClosed("untaken " + one)
		if !most.gone || d.Open() != 3 {
			t.Error("it is not the one with most answers")
		}
	})
}

// Requests that run are nobody's fault: nobody is closed for them, nor for having
// waited.
func TestNobodyGoesForWhatRuns(t *testing.T) {
	bubble(t, func(t *testing.T, d *desk) {
		a := d.speak("a", one)
		d.serve(a, 128)
		d.read(d.speak("b", one), 1)
		time.Sleep(10 * patience)
		d.want()
		d.wantClosed()
		d.Placed(of(a), 1)
		d.want("b")
	})
}

// A connection that net/http gives up, and does not read from again, keeps nobody
// waiting.
func TestGivenUp(t *testing.T) {
	bubble(t, func(t *testing.T, d *desk) {
		d.read(d.speak("lost", one), 100)
		d.read(d.speak("lost too", one), 100)
		d.read(d.speak("new", one), 1)
		d.want("lost", "lost too")
		time.Sleep(3 * handingOut)
		d.want("lost", "lost too", "new")
	})
}

// Who waits hears at once that the connection is closed.
func TestCloseWhileWaiting(t *testing.T) {
	bubble(t, func(t *testing.T, d *desk) {
		d.serve(d.speak("", one), 128)
		a, b := d.speak("a", one), d.speak("b", one)
		d.read(a, 1)
		a.Close()
		d.want("a is closed")
		b.Close()
		d.read(b, 1)
		d.want("a is closed", "b is closed")
	})
}

// What speaks HTTP/2 is known from the first bytes, however they come.
func TestPreface(t *testing.T) {
	const all = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
	for _, tc := range []struct {
		name  string
		came  []string
		http2 bool
	}{
		{"at once", []string{all}, true},
		{"with more", []string{all + "\x00\x00\x00"}, true},
		{"in parts", []string{"P", "RI * HTTP/2.0\r\n\r\nS", "M\r\n\r\n"}, true},
		{"not all of it", []string{"PRI * HTTP/2.0\r\n\r\n"}, false},
		{"HTTP/1", []string{"GET / HTTP/1.1\r\n\r\n", all}, false},
		{"a POST", []string{"P", "OST / HTTP/1.1\r\n\r\n"}, false},
		{"TLS", []string{"\x16\x03\x01", all}, false},
	} {
		c := &conn{limit: New(2, 1, nil), rest: preface}
		for _, came := range tc.came {
			if c.rest != nil {
				c.greet([]byte(came))
			}
		}
		if c.http2.Load() != tc.http2 {
			t.Errorf("%s: HTTP/2 is %v", tc.name, !tc.http2)
		}
	}
}

// Inside TLS it is known from what the client offers.
func TestHello(t *testing.T) {
	for _, tc := range []struct {
		offers []string
		http2  bool
	}{{nil, false}, {[]string{"http/1.1"}, false}, {[]string{"http/1.1", "h2"}, true}} {
		l := New(2, 1, nil)
		c := &conn{limit: l}
		if config, err := l.Hello(&tls.ClientHelloInfo{Conn: c, SupportedProtos: tc.offers}); config != nil || err != nil {
			t.Errorf("%v: %v %v", tc.offers, config, err)
		}
		if c.http2.Load() != tc.http2 || c.tls != tc.http2 {
			t.Errorf("%v: HTTP/2 is %v", tc.offers, !tc.http2)
		}
	}
}

// net/http closes a stream when the end of its answer is written, long after the
// handler where nobody takes it; and without TLS it reads frame by frame. We count
// on both.
func TestWhatNetHTTPDoes(t *testing.T) {
	t.Parallel()
	s := newSite(t, 4)
	const windowOf0 = "\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x04\x00\x00\x00\x00"
	const get = "\x00\x00\x03\x01\x05\x00\x00\x00" // and the stream: GET http /, in 3 bytes
	k := s.dial("127.0.0.1", string(preface)+windowOf0)
	defer k.Close()
	var c *conn
	s.eventually("HTTP/2", func() bool {
		s.limit.mu.Lock()
		defer s.limit.mu.Unlock()
		for c = range s.limit.http2 {
		}
		return c != nil
	})
	requests := ""
	for stream := byte(1); stream < 20; stream += 2 {
		requests += get + string(stream) + "\x82\x86\x84"
	}
	io.WriteString(k, requests)
	s.eventually("answered, and not taken", func() bool { return c.untaken.Load() == 10 && c.requests.Load() == 0 })
	if n := c.weight.Load(); n != 10*untaken {
		t.Errorf("they weigh %d, want %d", n, 10*untaken)
	}
	if most := s.most.Load(); most > 24 {
		t.Errorf("a Read brought %d bytes: more than a frame", most)
	}
	io.WriteString(k, "\x00\x00\x04\x08\x00\x00\x00\x00\x01\x00\x00\xff\xff") // WINDOW_UPDATE
	s.eventually("one is taken", func() bool { return c.untaken.Load() == 9 })
	io.WriteString(k, "\x00\x00\x04\x03\x00\x00\x00\x00\x03\x00\x00\x00\x08") // RST_STREAM
	s.eventually("one is given up", func() bool { return c.untaken.Load() == 8 })
	k.Close()
	s.eventually("nothing is left", func() bool { return c.weight.Load() == 0 && s.limit.weight.Load() == 0 })
}
