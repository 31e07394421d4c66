package connlimit

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"sync/atomic"
	"syscall"
	"time"
)

// Listener returns one whose connections are l's.
func (l *Limit) Listener(inner net.Listener) net.Listener { return &listener{inner, l} }

type listener struct {
	net.Listener
	limit *Limit
}

// Accept implements [net.Listener].
func (l *listener) Accept() (net.Conn, error) {
	for {
		nc, err := l.Listener.Accept()
		if err != nil {
			if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
				l.limit.makeRoom()
			}
			return nil, err
		}
		c := &conn{Conn: nc, limit: l.limit, addr: addrOf(nc), rest: preface}
		if l.limit.enter(c) {
			return c, nil
		}
		_ = nc.Close() // nobody was served on it
	}
}

// makeRoom gives a descriptor back, as the next caller has none. It reports
// whether there was a connection to close.
func (l *Limit) makeRoom() bool {
	if l.before != nil && l.before.makeRoom() {
		return true
	}
	l.mu.Lock()
	victim, cause := l.oldest(netip.Addr{}, false)
	if victim != nil {
		l.dismiss(victim)
	}
	l.mu.Unlock()
	l.evict(victim, cause)
	return victim != nil
}

// addrOf returns the address of the other end, and the zero Addr where it has
// none, as on a unix socket.
func addrOf(nc net.Conn) netip.Addr {
	tcp, ok := nc.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	return tcp.AddrPort().Addr().Unmap().WithZone("")
}

// A conn is one connection. What is not said to be otherwise is guarded by the
// limit's lock.
type conn struct {
	net.Conn
	limit *Limit
	addr  netip.Addr
	http2 atomic.Bool // speaks it
	tls   bool        // HTTP/2 is in there; written before http2
	rest  []byte      // of the preface, as long as it may still come; of Read's alone

	header     int  // what came of an unfinished header weighs
	large      bool // it is, and c has or had its turn, or waits for it
	gone       bool
	leaving    bool  // gone by our doing, and not closed by the server yet
	next, prev *conn // in the queue where it stands, if in any

	from   *address
	read   time.Time // when Read last brought something
	brings int       // requests that it may be
	on     chan bool // tells Read to go on, and whether c is open; nil: it does not wait
	late   bool      // it has waited too long

	// These need no lock.
	requests atomic.Int64 // under way
	weight   atomic.Int64 // of the requests on it
	untaken  atomic.Int64 // answers
	came     atomic.Int64 // requests of the last Read that may still begin
	// served says that a request of HTTP/1 has begun, and its body may not be at its
	// end. Its server drops the rest behind the handler: that is no header.
	served atomic.Bool
}

// Read implements [net.Conn].
func (c *conn) Read(p []byte) (int, error) {
	if c.http2.Load() {
		c.limit.asks(c)
	}
	n, err := c.Conn.Read(p)
	if c.rest != nil {
		c.greet(p[:n])
	}
	if n > 0 && c.requests.Load() == 0 && !c.served.Load() {
		c.limit.arrived(c, n, bytes.Count(p[:n], newline))
	}
	if n > 0 && c.http2.Load() && !c.limit.bring(c, n) {
		return 0, net.ErrClosed
	}
	return n, err
}

var newline = []byte{'\n'}

// Close implements [net.Conn].
func (c *conn) Close() error {
	c.limit.mu.Lock()
	c.limit.ended(c)
	c.limit.mu.Unlock()
	c.limit.handedOut(c)
	return c.Conn.Close()
}

// CloseWrite is what net/http ends a connection with where the caller may still
// be sending.
func (c *conn) CloseWrite() error {
	c.limit.mu.Lock()
	c.limit.next(c) // it was read, or as much of it as is allowed
	c.limit.mu.Unlock()
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}
