package connlimit

import "bytes"

// preface is what an HTTP/2 connection begins with (RFC 9113, section 3.4).
var preface = []byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")

// said is what is said on a connection, where it can be seen.
type said struct {
	conn    *conn
	rest    []byte   // of the preface, as long as it may still come
	must    bool     // it has to come, as HTTP/2 was agreed on
	session *session // nil: this is not HTTP/2, or not yet
}

// came looks at what was read. It reports whether the connection may go on.
func (s *said) came(p []byte) bool {
	if s.rest != nil {
		n := min(len(p), len(s.rest))
		if !bytes.Equal(p[:n], s.rest[:n]) {
			s.rest = nil
			return !s.must
		}
		if s.rest = s.rest[n:]; len(s.rest) > 0 {
			return true
		}
		s.rest = nil
		s.session = s.conn.limit.session(s.conn)
		p = p[n:]
	}
	return s.session == nil || s.session.came(p)
}

// went looks at what was written.
func (s *said) went(p []byte) {
	if s.session != nil {
		s.session.went(p)
	}
}
