package connlimit

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// A site is a server with a limit. Its answers wait for release where the path
// is /wait, and take connections over where it is /hijack.
type site struct {
	t       *testing.T
	limit   *Limit
	addr    string
	release chan struct{}
	waits   atomic.Int64 // requests for /wait
	failed  lines        // handshakes

	mu     sync.Mutex
	closed []string // "CAUSE ADDRESS"
}

func newSite(t *testing.T, max int) *site { return newSiteWith(t, max, nil) }

// newSiteWith serves in TLS where there is a config.
func newSiteWith(t *testing.T, max int, config *tls.Config) *site {
	t.Helper()
	s := &site{t: t, release: make(chan struct{})}
	s.limit = New(max, func(c Cause, a netip.Addr) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.closed = append(s.closed, string(c)+" "+a.String())
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr = l.Addr().String()
	server := &http.Server{Handler: s.limit.Handler(http.HandlerFunc(s.serve)), ConnContext: s.limit.Context, ConnState: s.limit.State, Protocols: new(http.Protocols)}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetUnencryptedHTTP2(true)
	go server.Serve(s.limit.Listener(l, config, log.New(&s.failed, "", 0)))
	t.Cleanup(func() { server.Close() })
	return s
}

func (s *site) serve(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/wait":
		s.waits.Add(1)
		<-s.release
	case "/hijack":
		c, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			s.t.Error(err)
			return
		}
		io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\n\r\n")
		io.Copy(io.Discard, c)
		c.Close()
	default:
		io.WriteString(w, "well")
		if r.TLS != nil {
			io.WriteString(w, ", in "+tls.VersionName(r.TLS.Version))
		}
	}
}

// dial connects from an address of loopback, which sends something, and waits
// until the limit has seen it.
func (s *site) dial(from, text string) *client {
	s.t.Helper()
	before := s.seen()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	c, err := d.Dial("tcp", s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { c.Close() })
	k := &client{c, bufio.NewReader(c)}
	s.eventually("accepted", func() bool { return s.seen() != before || s.known(c.LocalAddr().String()) })
	if text != "" {
		io.WriteString(c, text)
	}
	return k
}

// seen changes with each connection that was refused.
func (s *site) seen() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, c := range s.closed {
		if strings.HasPrefix(c, string(Refused)) {
			n++
		}
	}
	return n
}

// known reports whether a connection waits for its first request.
func (s *site) known(addr string) bool {
	s.limit.mu.Lock()
	defer s.limit.mu.Unlock()
	return s.limit.waiting.first(func(c *conn) bool { return c.RemoteAddr().String() == addr }) != nil
}

type client struct {
	net.Conn
	r *bufio.Reader
}

// get sends a request and returns the status, 0 if there is no answer.
func (k *client) get(path string) int {
	return k.send("GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n")
}

func (k *client) send(text string) int {
	io.WriteString(k, text)
	k.SetReadDeadline(time.Now().Add(5 * time.Second))
	resp, err := http.ReadResponse(k.r, nil)
	if err != nil {
		return 0
	}
	io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

func (s *site) eventually(what string, so func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !so(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("not %s within 20 s; closed: %v", what, s.list())
		}
	}
}

func (s *site) list() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.closed...)
}

// want waits until exactly these were closed, in this order.
func (s *site) want(closed ...string) {
	s.t.Helper()
	s.eventually("closed: "+fmt.Sprint(closed), func() bool { return fmt.Sprint(s.list()) == fmt.Sprint(closed) })
}

// states waits until as many connections wait and are idle.
func (s *site) states(waiting, idle int) {
	s.t.Helper()
	s.eventually(fmt.Sprint(waiting, " waiting, ", idle, " idle"), func() bool {
		s.limit.mu.Lock()
		defer s.limit.mu.Unlock()
		return s.limit.waiting.len() == waiting && s.limit.idle.len() == idle
	})
}

func (q *queue) len() int { return q.count(func(*conn) bool { return true }) }

// Whoever fills the gate with idle connections does not make newcomers close each
// other, not even when there are no files left.
func TestIdleOnesGoForNewcomers(t *testing.T) {
	t.Parallel()
	s := newSite(t, 4)
	for _, addr := range []string{"127.0.0.2", "127.0.0.3", "127.0.0.4"} {
		if s.dial(addr, "").get("/") != 200 {
			t.Fatal("no answer")
		}
	}
	first := s.dial("127.0.0.1", "GET / HTTP/1.1\r\n")
	s.states(1, 3)
	s.limit.makeRoom()
	s.want("idle 127.0.0.2")
	s.dial("127.0.0.5", "")
	s.states(2, 2)
	if first.send("Host: x\r\n\r\n") != 200 {
		t.Error("no answer: a newcomer had to go for another")
	}
}

func TestWhoGoesWhenFull(t *testing.T) {
	t.Parallel()
	s := newSite(t, 4)
	idle := s.dial("127.0.0.1", "")
	if idle.get("/") != 200 {
		t.Fatal("no answer")
	}
	s.dial("127.0.0.3", "GET / HTTP/1.1\r\nHo")
	s.dial("127.0.0.4", "")
	s.dial("127.0.0.5", "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
	s.states(2, 1)
	for i, closed := range []string{"waiting 127.0.0.3", "waiting 127.0.0.4", "idle 127.0.0.1"} {
		k := s.dial(fmt.Sprintf("127.0.0.%d", 10+i), "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
		s.eventually("a request", func() bool { return !s.known(k.LocalAddr().String()) })
		if got := s.list(); got[len(got)-1] != closed {
			t.Errorf("closed %v, want %s last", got, closed)
		}
	}
	// All have requests under way now.
	s.dial("127.0.0.20", "")
	s.want("waiting 127.0.0.3", "waiting 127.0.0.4", "idle 127.0.0.1", "refused 127.0.0.20")
	if n := s.limit.Open(); n != 4 {
		t.Errorf("%d open, want 4", n)
	}
	close(s.release)
	s.states(0, 4)
	if s.dial("127.0.0.21", "").get("/") != 200 {
		t.Error("no answer, though all others are idle")
	}
}

// One address has half, and what it opens beyond that is at its own cost.
func TestHalfForOneAddress(t *testing.T) {
	t.Parallel()
	s := newSite(t, 8)
	good := s.dial("127.0.0.1", "")
	for range 20 {
		s.dial("127.0.0.2", "GET / HTTP")
	}
	if n := s.limit.Open(); n != 5 {
		t.Errorf("%d open, want 1 and 4", n)
	}
	for _, c := range s.list() {
		if c != "waiting 127.0.0.2" {
			t.Errorf("%s was closed", c)
		}
	}
	if good.get("/") != 200 {
		t.Error("the first caller has no answer")
	}
}

// starved is a listener of a process without descriptors.
type starved struct{ net.Listener }

func (starved) Accept() (net.Conn, error) {
	return nil, &net.OpError{Op: "accept", Err: os.NewSyscallError("accept4", syscall.EMFILE)}
}

// Where no descriptor is left, who asks a server that comes after another one
// does not lose its own connections to the other's.
func TestWhoGoesWithoutDescriptors(t *testing.T) {
	first, last := newSite(t, 4), newSite(t, 4)
	last.limit.After(first.limit)
	first.dial("127.0.0.2", "")
	last.dial("127.0.0.3", "")
	accept := func() {
		t.Helper()
		if _, err := last.limit.Listener(starved{}, nil, nil).Accept(); !errors.Is(err, syscall.EMFILE) {
			t.Error(err)
		}
	}
	accept()
	first.want("waiting 127.0.0.2")
	last.want()
	accept()
	accept() // nobody is left
	first.want("waiting 127.0.0.2")
	last.want("waiting 127.0.0.3")
}

func TestHijackedCounts(t *testing.T) {
	t.Parallel()
	s := newSite(t, 4)
	k := s.dial("127.0.0.1", "GET /hijack HTTP/1.1\r\nHost: x\r\n\r\n")
	s.states(0, 0)
	if n, r := s.limit.Open(), s.limit.Requests(); n != 1 || r != 1 {
		t.Errorf("%d open, %d under way, want the upgraded one", n, r)
	}
	k.Close()
	s.eventually("over", func() bool { return s.limit.Open() == 0 && s.limit.Requests() == 0 })
	if got := s.list(); len(got) > 0 {
		t.Errorf("closed %v", got)
	}
}

// HTTP/2 connections that only say PING wait, however much they say.
func TestPingsAreNoRequests(t *testing.T) {
	t.Parallel()
	s := newSite(t, 2)
	const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"
	const ping = "\x00\x00\x08\x06\x00\x00\x00\x00\x0012345678"
	k := s.dial("127.0.0.2", preface+ping)
	one := make([]byte, 1)
	if _, err := k.Read(one); err != nil {
		t.Fatalf("no HTTP/2: %v", err)
	}
	io.WriteString(k, ping)
	s.dial("127.0.0.2", preface+ping)
	s.want("waiting 127.0.0.2")
}

// Streams are requests, and a connection without one is idle.
func TestStreams(t *testing.T) {
	t.Parallel()
	s := newSite(t, 16) // each request may bring a connection, until there is one
	tr := &http.Transport{Protocols: new(http.Protocols)}
	tr.Protocols.SetUnencryptedHTTP2(true)
	defer tr.CloseIdleConnections()
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			req, _ := http.NewRequestWithContext(context.Background(), "GET", "http://"+s.addr+"/wait", nil)
			if resp, err := tr.RoundTrip(req); err != nil {
				t.Error(err)
			} else {
				resp.Body.Close()
			}
		})
	}
	s.eventually("three under way", func() bool { return s.waits.Load() == 3 })
	s.states(0, 0)
	if n := s.limit.Requests(); n != 3 {
		t.Errorf("%d under way, want three", n)
	}
	close(s.release)
	wg.Wait()
	s.states(0, s.limit.Open())
	s.eventually("none under way", func() bool { return s.limit.Requests() == 0 })
}

// What headers hold together is bounded, and who sent most of it goes.
func TestHeaderBytes(t *testing.T) {
	t.Parallel()
	s := newSite(t, 16) // 32 KiB
	small := s.dial("127.0.0.1", "GET / HTTP/1.1\r\nX: y\r\n")
	s.dial("127.0.0.2", "GET / HTTP/1.1\r\nX: "+strings.Repeat("x", 20<<10))
	s.eventually("read", func() bool { return s.pending() > 20<<10 })
	s.dial("127.0.0.3", "GET / HTTP/1.1\r\nX: "+strings.Repeat("x", 16<<10))
	s.want("header 127.0.0.2")
	s.eventually("read", func() bool { return s.pending() > 16<<10 })
	// Lines weigh more than bytes.
	s.dial("127.0.0.4", "GET / HTTP/1.1\r\n"+strings.Repeat("a:\r\n", 200))
	s.want("header 127.0.0.2", "header 127.0.0.4")
	// What has become a request, or is closed, weighs nothing.
	if small.send("Host: x\r\n\r\n") != 200 {
		t.Error("no answer")
	}
	for _, c := range s.connections() {
		c.Close()
	}
	s.eventually("empty", func() bool { return s.pending() == 0 && s.limit.Open() == 0 })
}

func (s *site) connections() (all []*conn) {
	s.limit.mu.Lock()
	defer s.limit.mu.Unlock()
	for _, q := range []*queue{&s.limit.waiting, &s.limit.idle} {
		q.first(func(c *conn) bool { all = append(all, c); return false })
	}
	return all
}

func (s *site) pending() int {
	s.limit.mu.Lock()
	defer s.limit.mu.Unlock()
	return s.limit.header
}

// What comes while a connection's last request ends, and is too much, has nobody to
// close where there is no other connection: that one is neither idle yet nor under way.
func TestBetweenRequests(t *testing.T) {
	l := New(2, func(c Cause, _ netip.Addr) { t.Errorf("%s was closed", c) })
	near, far := net.Pipe()
	defer far.Close()
	c := &conn{Conn: near, limit: l}
	l.enter(c)
	l.begin(c)
	c.requests.Add(-1)
	l.arrived(c, l.maxHeader+1, 0)
	l.settle(c)
	c.Close()
	if l.header != 0 || l.Open() != 0 {
		t.Errorf("%d bytes and %d connections are left", l.header, l.Open())
	}
}

// Who has many connections that were closed, and whose server has not let go of
// them, gets no other; nobody else is kept out, and it ends when they do.
func TestLeaving(t *testing.T) {
	var closed []string
	l := New(64, func(c Cause, a netip.Addr) { closed = append(closed, string(c)+" "+a.String()) })
	one, other := netip.MustParseAddr("127.0.0.2"), netip.MustParseAddr("127.0.0.1")
	var all []*conn
	enter := func(addr netip.Addr) bool {
		near, far := net.Pipe()
		t.Cleanup(func() { far.Close() })
		c := &conn{Conn: near, limit: l, addr: addr}
		if !l.enter(c) {
			return false
		}
		all = append(all, c)
		return true
	}
	dismiss := func() { // as where there is no room
		last := all[len(all)-1]
		l.mu.Lock()
		l.dismiss(last)
		l.mu.Unlock()
		l.evict(last, Waiting)
	}
	for range minLeaving {
		if !enter(one) {
			t.Fatal("no room")
		}
		dismiss()
	}
	if enter(one) {
		t.Error("another one was let in")
	}
	if got := closed[len(closed)-1]; got != "refused 127.0.0.2" {
		t.Errorf("last closed: %s", got)
	}
	if !enter(other) {
		t.Error("another address was kept out")
	}
	for range 2 { // closing twice counts once
		all[0].Close()
	}
	if !enter(one) {
		t.Fatal("nobody was let in, though one has ended")
	}
	dismiss()
	if enter(one) {
		t.Error("another one was let in")
	}
	for _, c := range all {
		c.Close()
	}
	if len(l.addresses) != 0 || l.Open() != 0 {
		t.Errorf("%d addresses and %d open at the end", len(l.addresses), l.Open())
	}
}

// What is left of a body that nobody has read is no header; what comes then is one.
func TestRestOfBody(t *testing.T) {
	s := newSite(t, 64)
	rest := strings.Repeat("a line of the body\n", 10<<10) // as a header, too much
	k := s.dial("127.0.0.1", "")
	for range 3 {
		fmt.Fprintf(k, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", len(rest), rest)
		res, err := http.ReadResponse(k.r, nil)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, res.Body)
	}
	io.WriteString(k, "GET / HTTP/1.1\r\n"+strings.Repeat("a: b\r\n", 10<<10))
	s.eventually("the unfinished header is too much", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.closed) == 1 && strings.HasPrefix(s.closed[0], string(Header))
	})
}
