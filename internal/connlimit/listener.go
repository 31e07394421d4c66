package connlimit

import (
	"bytes"
	"crypto/tls"
	"errors"
	"log"
	"net"
	"net/netip"
	"sync/atomic"
	"syscall"
	"time"

	"sallyport/internal/socket"
)

// Listener returns one whose connections are l's, for a server of HTTP/1 and of
// HTTP/2 without TLS. Where there is a config they are in TLS nevertheless, which the
// server does not see: so we see what is said. Then log gets the handshakes that fail.
func (l *Limit) Listener(inner net.Listener, config *tls.Config, log *log.Logger) net.Listener {
	return &listener{inner, l, config, log}
}

type listener struct {
	net.Listener
	limit  *Limit
	config *tls.Config // nil: no TLS
	log    *log.Logger
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
		c := &conn{Conn: socket.Direct(nc), limit: l.limit, addr: addrOf(nc)}
		if !l.limit.enter(c) {
			_ = nc.Close() // nobody was served on it
			continue
		}
		if l.config != nil {
			return secure(c, l.config, l.log), nil
		}
		c.said = said{conn: c, rest: preface}
		return c, nil
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
	l.dismiss(victim)
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
	from  *address
	said  said                 // without TLS
	state *tls.ConnectionState // nil: no TLS; written before there is a request

	header     int   // what came of an unfinished header weighs
	large      bool  // it is, and c has or had its turn, or waits for it
	line       *line // where it has or had or waits for that
	gone       bool
	leaving    bool  // gone by our doing, and not closed by the server yet
	next, prev *conn // in the queue where it stands, if in any

	// These need no lock.
	http2    atomic.Pointer[session] // nil: it does not speak it, or not yet
	requests atomic.Int64            // under way
	// served says that a request of HTTP/1 has begun, and its body may not be at its
	// end. Its server drops the rest behind the handler: that is no header.
	served atomic.Bool
	// known says that the caller of one of its requests was let in.
	known atomic.Bool
	ahead ahead // on HTTP/1
	// held is how long we had its Reads wait. It is of who reads.
	held time.Duration
}

// Read implements [net.Conn].
func (c *conn) Read(p []byte) (int, error) {
	begun := c.ahead.reads()
	held := c.held
	n, err := c.Conn.Read(p)
	if n > 0 && c.between() {
		c.held += c.limit.arrived(c, n, bytes.Count(p[:n], newline))
	}
	if c.said.conn != nil { // no TLS
		c.heard(len(p), n, waited(begun, c.held-held))
	}
	if !c.said.came(p[:n]) {
		return 0, net.ErrClosed
	}
	return n, err
}

// Write implements [net.Conn].
func (c *conn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.said.went(p[:n])
	return n, err
}

var newline = []byte{'\n'}

// Close implements [net.Conn].
func (c *conn) Close() error {
	c.limit.mu.Lock()
	c.limit.ended(c)
	c.limit.mu.Unlock()
	if s := c.http2.Load(); s != nil {
		s.close()
	}
	return c.Conn.Close()
}

// CloseWrite is what net/http ends a connection with where the caller may still
// be sending.
func (c *conn) CloseWrite() error {
	c.read()
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// read notes that a header was read, or as much of it as is allowed.
func (c *conn) read() {
	c.limit.mu.Lock()
	defer c.limit.mu.Unlock()
	c.limit.next(c)
}
