package connlimit

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"slices"
)

// A secured is a connection in TLS, on which HTTP is said. Its first Read is the
// handshake, so that this has no more time than what net/http gives to the first
// header. It is not known to net/http as one in TLS: without ConnectionState.
type secured struct {
	net.Conn // is tls
	said
	tls *tls.Conn
	log *log.Logger
}

func secure(c *conn, config *tls.Config, log *log.Logger) *secured {
	t := tls.Server(c, config)
	return &secured{Conn: t, said: said{conn: c, rest: preface}, tls: t, log: log}
}

// Read implements [net.Conn].
func (s *secured) Read(p []byte) (int, error) {
	if s.conn.state == nil {
		if err := s.tls.Handshake(); err != nil {
			s.failed(err)
			return 0, io.EOF // net/http closes it, and does not answer
		}
		state := s.tls.ConnectionState()
		s.conn.state, s.must = &state, state.NegotiatedProtocol == "h2"
	}
	begun := s.conn.ahead.reads()
	held := s.conn.held
	n, err := s.tls.Read(p)
	s.conn.heard(len(p), n, waited(begun, s.conn.held-held))
	if !s.came(p[:n]) {
		_ = s.Close() // else net/http would answer, in HTTP/1
		return 0, net.ErrClosed
	}
	return n, err
}

// failed is what becomes of a connection without a handshake. Who has taken us for
// a port without TLS is told so.
func (s *secured) failed(err error) {
	var record tls.RecordHeaderError
	if errors.As(err, &record) && record.Conn != nil && slices.ContainsFunc(methods, func(m string) bool {
		return bytes.HasPrefix(record.RecordHeader[:], []byte(m))
	}) {
		_, _ = io.WriteString(record.Conn, "HTTP/1.0 400 Bad Request\r\nContent-Type: text/plain\r\n\r\nThis port is for https, and this was http.\n")
	}
	s.log.Printf("TLS handshake with %s: %v", s.RemoteAddr(), err)
}

// methods are what requests begin with, as far as a TLS record's header reaches.
var methods = []string{"GET /", "HEAD ", "POST ", "PUT /", "PATCH", "DELET", "OPTIO", "CONNE", "PRI *"}

// Write implements [net.Conn].
func (s *secured) Write(p []byte) (int, error) {
	n, err := s.tls.Write(p)
	s.went(p[:n])
	return n, err
}

// CloseWrite is as conn's.
func (s *secured) CloseWrite() error {
	s.conn.read()
	return s.tls.CloseWrite()
}
