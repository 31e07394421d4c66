// Package load sends requests: as fast as they are answered, at a pace, or as a
// caller would who has a token that changes. It speaks HTTP/1.1 by itself, as
// the driver shares the machine with what it measures, and a client library
// would take more of it than the gate.
package load

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

// answerTimeout is how long an answer may take. A decision takes 8 s at most.
const answerTimeout = 10 * time.Second

// A conn is one connection, used for request after request.
type conn struct {
	net.Conn
	r *bufio.Reader
}

// dial connects to an address, from one of ours, with TLS unless secure is nil.
func dial(ctx context.Context, from, to string, secure *tls.Config) (*conn, error) {
	d := net.Dialer{Timeout: answerTimeout, LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	c, err := d.DialContext(ctx, "tcp", to)
	if err != nil {
		return nil, err
	}
	if secure != nil {
		t := tls.Client(c, secure)
		ctx, cancel := context.WithTimeout(ctx, answerTimeout)
		defer cancel()
		if err := t.HandshakeContext(ctx); err != nil {
			c.Close()
			return nil, err
		}
		c = t
	}
	return &conn{c, bufio.NewReaderSize(c, 4<<10)}, nil
}

// large is from where on a request is written while its answer is read: the
// other side may answer, and read no further.
const large = 64 << 10

// do sends a request and reads the status of its answer. Reuse says that the
// connection can be used again.
func (c *conn) do(request []byte) (status int, reuse bool, err error) {
	if err := c.SetDeadline(time.Now().Add(answerTimeout)); err != nil {
		return 0, false, err
	}
	if len(request) < large {
		if _, err := c.Write(request); err != nil {
			return 0, false, err
		}
		return c.answer()
	}
	written := make(chan error, 1)
	go func() {
		_, err := c.Write(request)
		written <- err
	}()
	status, reuse, err = c.answer()
	if err != nil || !reuse {
		c.Close() // which ends the write
	}
	if werr := <-written; werr != nil {
		reuse = false
	}
	return status, reuse, err
}

// answer reads an answer as the gate and its app write them: with a length, or
// as the last one of its connection.
func (c *conn) answer() (status int, reuse bool, err error) {
	line, err := c.r.ReadSlice('\n')
	if err != nil {
		return 0, false, err
	}
	const version = "HTTP/1.1 "
	if len(line) < len(version)+3 || !bytes.HasPrefix(line, []byte(version)) {
		return 0, false, fmt.Errorf("no status line: %.40q", line)
	}
	if status, err = strconv.Atoi(string(line[len(version) : len(version)+3])); err != nil {
		return 0, false, fmt.Errorf("no status: %w", err)
	}
	length, reuse := -1, true
	for {
		if line, err = c.r.ReadSlice('\n'); err != nil {
			return 0, false, err
		}
		if line = bytes.TrimSpace(line); len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(": "))
		switch string(name) {
		case "Content-Length":
			if length, err = strconv.Atoi(string(value)); err != nil {
				return 0, false, fmt.Errorf("no length: %w", err)
			}
		case "Connection":
			reuse = string(value) != "close"
		}
	}
	if length < 0 {
		return status, false, nil
	}
	_, err = io.CopyN(io.Discard, c.r, int64(length))
	return status, reuse && err == nil, err
}

// appendRequest appends a GET with a token, an empty one for none.
func appendRequest(b []byte, path string, token []byte) []byte {
	b = append(b, "GET "...)
	b = append(b, path...)
	b = append(b, " HTTP/1.1\r\nHost: app\r\nUser-Agent: bench\r\n"...)
	if len(token) > 0 {
		b = append(b, "Authorization: Bearer "...)
		b = append(b, token...)
		b = append(b, "\r\n"...)
	}
	return append(b, "\r\n"...)
}

func request(path, token string) []byte { return appendRequest(nil, path, []byte(token)) }
