//go:build linux && (amd64 || arm64) && !race

package socket

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"unsafe"
)

// most is how many bytes are read or written without the scheduler's knowledge. They
// take less than 20 us, which is when it begins to look after a call.
const most = 32 << 10

// Direct returns nc with Read and Write that the scheduler does not hear of, and else
// the same. It returns nc itself where it is neither of TCP nor of a unix socket, on
// other systems than Linux on amd64 and arm64, and with the race detector, which learns
// from Go's calls who waits for whom.
func Direct(nc net.Conn) net.Conn {
	switch nc.(type) {
	case *net.TCPConn, *net.UnixConn:
	default:
		return nc
	}
	s := nc.(stream)
	raw, err := s.SyscallConn()
	if err != nil {
		return nc // closed: whoever uses it will see
	}
	return &conn{s, raw}
}

type conn struct {
	stream
	raw syscall.RawConn
}

// Read implements [net.Conn].
func (c *conn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	n, err := c.call("read", p[:min(len(p), most)], &reads, c.raw.Read)
	if n == 0 && err == nil {
		err = io.EOF
	}
	return n, err
}

// Write implements [net.Conn].
func (c *conn) Write(p []byte) (int, error) {
	if len(p) > most {
		return c.stream.Write(p)
	}
	return c.call("write", p, &writes, c.raw.Write)
}

// call has raw make the calls of which, and wait between them.
func (c *conn) call(name string, p []byte, which *sync.Pool, raw func(func(uintptr) bool) error) (int, error) {
	o := which.Get().(*calls)
	o.p, o.n, o.failed = p, 0, 0
	err := raw(o.do)
	n, failed := o.n, o.failed
	o.p = nil
	which.Put(o)
	if op, ok := err.(*net.OpError); ok {
		op.Op = name // it says "raw-" before it, and others look at the name
	}
	if err == nil && failed != 0 {
		err = &net.OpError{Op: name, Net: c.RemoteAddr().Network(), Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: os.NewSyscallError(name, failed)}
	}
	return n, err
}

// calls are those for one Read or Write.
type calls struct {
	p      []byte
	n      int // how many of them are done
	failed syscall.Errno
	do     func(fd uintptr) (done bool)
}

var (
	reads  = sync.Pool{New: func() any { o := new(calls); o.do = o.read; return o }}
	writes = sync.Pool{New: func() any { o := new(calls); o.do = o.write; return o }}
)

// read reads once, or reports that there is nothing yet.
func (o *calls) read(fd uintptr) bool {
	n, failed := try(syscall.SYS_READ, fd, o.p)
	if failed == syscall.EAGAIN {
		return false
	}
	o.n, o.failed = n, failed
	return true
}

// write writes all, or reports that there is no room yet.
func (o *calls) write(fd uintptr) bool {
	for o.n < len(o.p) {
		n, failed := try(syscall.SYS_WRITE, fd, o.p[o.n:])
		if failed == syscall.EAGAIN {
			return false
		}
		if o.n += n; failed != 0 {
			o.failed = failed
			break
		}
	}
	return true
}

// try makes one call, again where a signal has interrupted it. p is not empty.
func try(call, fd uintptr, p []byte) (n int, failed syscall.Errno) {
	for {
		r, _, failed := syscall.RawSyscall(call, fd, uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)))
		if failed == 0 {
			return int(r), 0
		}
		if failed != syscall.EINTR {
			return 0, failed
		}
	}
}

// Silent reports whether there is nothing to be read from the socket fd, not even its
// end.
func Silent(fd uintptr) bool {
	var b [1]byte
	_, _, failed := syscall.RawSyscall6(syscall.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(&b[0])), 1, syscall.MSG_PEEK|syscall.MSG_DONTWAIT, 0, 0)
	return failed == syscall.EAGAIN
}
