package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// A conn is one connection, with at most one request under way.
type conn struct {
	fd   int
	busy bool
	due  time.Duration // of the request under way, since the loop began

	head   []byte // of the answer, as far as it has come
	buffer []byte
	body   bool
	left   int // bytes of the body
	status int
}

func dial(to string) (*conn, error) {
	c := &conn{fd: -1, buffer: make([]byte, 64<<10)}
	return c, c.redial(to)
}

// redial replaces the connection.
func (c *conn) redial(to string) error {
	if c.fd >= 0 {
		unix.Close(c.fd)
		c.fd = -1
	}
	c.reset()
	addr, err := netip.ParseAddrPort(to)
	if err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("socket: %w", err)
	}
	// Connecting may wait: it is to loopback, and a full backlog is the proxy's
	// own doing.
	if err := unix.Connect(fd, &unix.SockaddrInet4{Port: int(addr.Port()), Addr: addr.Addr().As4()}); err != nil {
		unix.Close(fd)
		return fmt.Errorf("connecting to %s: %w", to, err)
	}
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
		unix.Close(fd)
		return fmt.Errorf("TCP_NODELAY: %w", err)
	}
	c.fd = fd
	return unix.SetNonblock(fd, true)
}

func (c *conn) reset() { c.head, c.body, c.left = c.head[:0], false, 0 }

// write sends a request, which fits into the socket's buffer.
func (c *conn) write(request []byte) error {
	c.reset()
	n, err := unix.Write(c.fd, request)
	if err == nil && n < len(request) {
		err = io.ErrShortWrite
	}
	return err
}

// read takes what has come, and reports whether the answer is whole.
func (c *conn) read() (done bool, err error) {
	n, err := unix.Read(c.fd, c.buffer)
	if err == unix.EAGAIN {
		return false, nil
	}
	if err == nil && n <= 0 {
		err = io.EOF
	}
	if err != nil {
		return false, err
	}
	if c.body {
		c.left -= n
		return c.left <= 0, nil
	}
	c.head = append(c.head, c.buffer[:n]...)
	i := bytes.Index(c.head, []byte("\r\n\r\n"))
	if i < 0 {
		return false, nil
	}
	if err := c.parse(c.head[:i+2]); err != nil {
		return false, err
	}
	c.body = true
	c.left -= len(c.head) - i - 4
	return c.left <= 0, nil
}

// parse reads the head of an answer with a length, which all of the app's have.
func (c *conn) parse(head []byte) (err error) {
	const version = "HTTP/1.1 "
	if len(head) < len(version)+3 || string(head[:len(version)]) != version {
		return errors.New("no status line")
	}
	if c.status, err = strconv.Atoi(string(head[len(version) : len(version)+3])); err != nil {
		return err
	}
	for line := range bytes.Lines(head) {
		name, value, _ := bytes.Cut(line, []byte(":"))
		if bytes.EqualFold(name, []byte("content-length")) {
			c.left, err = strconv.Atoi(string(bytes.TrimSpace(value)))
			return err
		}
	}
	return errors.New("an answer without a length")
}
