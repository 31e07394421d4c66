package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// An h2conn speaks HTTP/2 by frames: no client would send what it does.
type h2conn struct {
	net.Conn
	*http2.Framer
	s     *siege
	block bytes.Buffer
	enc   *hpack.Encoder
}

func (s *siege) h2() *h2conn {
	s.t.Helper()
	c := &h2conn{Conn: s.dialGate("h2"), s: s}
	c.Framer = http2.NewFramer(c.Conn, c.Conn)
	c.AllowIllegalWrites = true
	c.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	c.enc = hpack.NewEncoder(&c.block)
	fmt.Fprint(c.Conn, http2.ClientPreface)
	must(s.t, c.WriteSettings())
	return c
}

// buffer makes floods of small frames faster. A write that takes a while fails:
// then nobody reads.
func (c *h2conn) buffer() {
	c.Framer = http2.NewFramer(bufio.NewWriterSize(hasty{c.Conn}, 32<<10), c.Conn)
	c.AllowIllegalWrites = true
}

type hasty struct{ net.Conn }

// Write implements io.Writer.
func (c hasty) Write(p []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(500 * time.Millisecond)); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

// fields are names and values in turns; the token's place is {token}.
func (c *h2conn) header(fields ...string) []byte {
	c.block.Reset()
	for i := 0; i+1 < len(fields); i += 2 {
		c.enc.WriteField(hpack.HeaderField{Name: fields[i], Value: strings.ReplaceAll(fields[i+1], "{token}", c.s.good)})
	}
	return bytes.Clone(c.block.Bytes())
}

// open sends a header; the stream stays open if the body is to come.
func (c *h2conn) open(stream uint32, bodyComes bool, fields ...string) error {
	return writeHeader(c.Framer, stream, c.header(fields...), !bodyComes)
}

// writeHeader writes a request's header, in as many frames as it needs.
func writeHeader(framer *http2.Framer, stream uint32, block []byte, end bool) error {
	const most = 16 << 10 // SETTINGS_MAX_FRAME_SIZE
	n := min(len(block), most)
	err := framer.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: block[:n], EndStream: end, EndHeaders: n == len(block)})
	for block = block[n:]; err == nil && len(block) > 0; block = block[n:] {
		n = min(len(block), most)
		err = framer.WriteContinuation(stream, n == len(block), block[:n])
	}
	return err
}

// outcome is what became of a stream: the status and whether it was reset
// after it, or the stream's error, or that of the connection.
func (c *h2conn) outcome(stream uint32) string {
	for {
		frame, err := c.ReadFrame()
		if err != nil {
			var end http2.ConnectionError
			if errors.As(err, &end) || errors.Is(err, os.ErrDeadlineExceeded) {
				return err.Error()
			}
			return "closed"
		}
		switch f := frame.(type) {
		case *http2.MetaHeadersFrame:
			if f.StreamID == stream && !strings.HasPrefix(f.PseudoValue("status"), "1") {
				return f.PseudoValue("status")
			}
		case *http2.RSTStreamFrame:
			if f.StreamID == stream {
				return "reset, " + f.ErrCode.String()
			}
		case *http2.GoAwayFrame:
			if f.ErrCode != http2.ErrCodeNo {
				return "closed, " + f.ErrCode.String()
			}
		}
	}
}

// shoot sends one request over a connection of its own.
func (s *siege) shoot(fields ...string) {
	s.t.Helper()
	c := s.h2()
	defer c.Close()
	must(s.t, c.open(1, false, fields...))
	s.got(c.outcome(1), strings.Join(fields, " "))
}

// pseudo is the usual beginning of a header, with some of it replaced.
func pseudo(replaced ...string) []string {
	fields := []string{":method", "GET", ":scheme", "https", ":authority", "shop.example", ":path", "/"}
	for i := 0; i+1 < len(replaced); i += 2 {
		for j := 0; j < len(fields); j += 2 {
			if fields[j] == replaced[i] {
				fields[j+1] = replaced[i+1]
			}
		}
	}
	return fields
}

// withToken appends the good token, and further fields.
func withToken(fields []string, more ...string) []string {
	return append(append(fields, "authorization", "Bearer {token}"), more...)
}

// flooded writes frames until the connection is closed, or n are written, at most
// for some seconds, and notes that others are served meanwhile and afterwards. It
// returns whether it was closed, or goes on.
func (c *h2conn) flooded(n int, frame func(i int) error) string {
	c.s.t.Helper()
	closed, ended := false, make(chan struct{})
	go func() { // or it might wait for us to read
		defer close(ended)
		c.outcome(0)
	}()
	until := time.Now().Add(3 * time.Second)
	for i := range n {
		if i%64 == 0 && time.Now().After(until) {
			break
		}
		if err := frame(i); err != nil {
			closed = true
			break
		}
		if i == n/2 {
			c.s.othersAreServed()
		}
	}
	select {
	case <-ended:
		closed = true
	case <-time.After(300 * time.Millisecond):
	}
	c.s.othersAreServed()
	c.Conn.Close()
	<-ended
	if closed {
		return "closed"
	}
	return "goes on"
}

func (s *siege) othersAreServed() {
	s.t.Helper()
	begun := time.Now()
	if r := s.raw(anon("/status")); r.outcome != "200" {
		s.got("others get "+r.outcome, "")
	} else if took := time.Since(begun); took > 2*time.Second*unhurried {
		s.got(fmt.Sprint("others wait ", took), "")
	} else {
		s.got("others are served", "")
	}
}

func closeWrite(c net.Conn) {
	switch c := c.(type) {
	case *tls.Conn:
		c.CloseWrite()
	case *net.TCPConn:
		c.CloseWrite()
	}
}

// body is all of an answer's.
func (c *h2conn) body(stream uint32) string {
	var text strings.Builder
	for {
		frame, err := c.ReadFrame()
		if err != nil {
			return text.String() + err.Error()
		}
		f, ok := frame.(*http2.DataFrame)
		if ok {
			text.Write(f.Data())
		}
		if frame.Header().StreamID == stream && frame.Header().Flags.Has(http2.FlagDataEndStream) || frame.Header().Type == http2.FrameRSTStream {
			return text.String()
		}
	}
}
