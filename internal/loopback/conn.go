package loopback

import (
	"bufio"
	"errors"
	"math"
	"net"
	"syscall"
	"time"

	"sallyport/internal/socket"
)

// errHeader is what reading ends with when an answer's header is too large.
var errHeader = errors.New("the header of the answer is too large")

// A conn carries one request at a time.
type conn struct {
	net.Conn
	br     *bufio.Reader
	hangUp func() // closes it; may be called at any time, and again
	idled  time.Time

	left  int  // how many bytes may still be read
	heard bool // a byte of the answer has come

	raw    syscall.RawConn // nil: it cannot be looked at, and carries one request alone
	look   func(uintptr)
	silent bool
}

func newConn(nc net.Conn) *conn {
	c := &conn{Conn: socket.Direct(nc)}
	// As large as net/http's own, on which the bound of a trailer depends.
	c.br = bufio.NewReaderSize(c, 4<<10)
	c.hangUp = func() { nc.Close() }
	if s, ok := nc.(syscall.Conn); ok {
		c.raw, _ = s.SyscallConn()
		c.look = c.peek
	}
	return c
}

// Read implements io.Reader.
func (c *conn) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, errHeader
	}
	n, err := c.Conn.Read(p[:min(len(p), c.left)])
	if n > 0 {
		c.heard = true
		c.left -= n
	}
	return n, err
}

// begin makes c ready for a request, whose answer's header has to come in time
// and within max bytes.
func (c *conn) begin(timeout time.Duration, max int) error {
	c.heard, c.left = false, max
	if timeout <= 0 {
		return nil
	}
	return c.SetDeadline(time.Now().Add(timeout))
}

// relax takes the bounds off, once the header is there, of a body of size bytes;
// -1 if that is not known.
func (c *conn) relax(timeout time.Duration, size int64) error {
	c.left = math.MaxInt
	if timeout <= 0 || c.has(size) {
		return nil // nothing more will be read; the next request has its own deadline
	}
	return c.SetDeadline(time.Time{})
}

// has reports whether a body of size bytes is here.
func (c *conn) has(size int64) bool { return size >= 0 && size <= int64(c.br.Buffered()) }

// isQuiet reports whether nothing lies there to be read, neither bytes nor the
// end.
func (c *conn) isQuiet() bool {
	if c.raw == nil {
		return false
	}
	c.silent = false
	return c.raw.Control(c.look) == nil && c.silent
}
