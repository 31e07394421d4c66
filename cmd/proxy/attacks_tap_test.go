package main

import (
	"fmt"
	"net"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

// A tap keeps what comes to the app over HTTP/1.1, byte for byte, to be read
// again by somebody stricter than any app: who reads it in two ways can be made
// to see two requests.
type tap struct {
	mu       sync.Mutex
	conns    []*tappedConn
	requests int // that were read again
}

// tapped is the app's listener.
type tapped struct {
	net.Listener
	tap *tap
}

// Accept implements net.Listener.
func (l tapped) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	t := &tappedConn{Conn: c}
	l.tap.mu.Lock()
	defer l.tap.mu.Unlock()
	l.tap.conns = append(l.tap.conns, t)
	return t, nil
}

type tappedConn struct {
	net.Conn
	mu   sync.Mutex
	have strings.Builder
}

// Read implements io.Reader.
func (c *tappedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.have.Write(p[:n])
	return n, err
}

// problems reads all that was said again.
func (t *tap) problems() (all []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, c := range t.conns {
		c.mu.Lock()
		s := &strict{rest: c.have.String()}
		c.mu.Unlock()
		for s.rest != "" && s.problem == "" && !s.over {
			s.request()
			t.requests++
		}
		if s.problem != "" {
			all = append(all, s.problem)
		}
	}
	return all
}

// strict reads RFC 9112's grammar and nothing beside it. Who breaks off in the
// middle of a request breaks no rule.
type strict struct {
	rest    string
	over    bool   // nothing follows that can be read
	problem string // the first

	path   string
	header map[string][]string // names folded as CGI does
}

var (
	requestLine = regexp.MustCompile("^([!#$%&'*+.^_`|~0-9A-Za-z-]+) (/[^\x00-\x20\x7f]*) HTTP/1\\.1$")
	fieldLine   = regexp.MustCompile("^([!#$%&'*+.^_`|~0-9A-Za-z-]+): ([^\x00-\x08\x0a-\x1f\x7f]*)$")
	chunkLine   = regexp.MustCompile(`^[0-9a-f]{1,8}$`)
	lengthValue = regexp.MustCompile(`^[0-9]{1,12}$`)
)

func (s *strict) fail(format string, args ...any) {
	if s.problem == "" {
		s.problem = fmt.Sprintf(format, args...)
	}
	s.over = true
}

// line takes the next one; its end is CRLF alone.
func (s *strict) line() string {
	line, rest, ok := strings.Cut(s.rest, "\n")
	if !ok {
		s.over = true
		return ""
	}
	s.rest = rest
	line, ok = strings.CutSuffix(line, "\r")
	if !ok || strings.Contains(line, "\r") {
		s.fail("a line that does not end as it should: %.200q", line)
	}
	return line
}

func (s *strict) take(n int) {
	if n > len(s.rest) {
		s.over = true
		return
	}
	s.rest = s.rest[n:]
}

func (s *strict) request() {
	first := s.line()
	m := requestLine.FindStringSubmatch(first)
	if s.over {
		return
	}
	if m == nil {
		s.fail("no request line: %.200q", first)
		return
	}
	s.path, _, _ = strings.Cut(m[2], "?")
	s.header = s.fields(map[string][]string{})
	if s.over {
		return
	}
	s.checkCaller(m[1])
	s.body()
	if s.header["upgrade"] != nil {
		s.over = true // the rest may be a WebSocket's
	}
}

func (s *strict) fields(into map[string][]string) map[string][]string {
	for line := s.line(); line != "" && !s.over; line = s.line() {
		m := fieldLine.FindStringSubmatch(line)
		if m == nil {
			s.fail("no header line: %.200q", line)
			return into
		}
		name := foldAsCGI(m[1])
		into[name] = append(into[name], m[2])
	}
	return into
}

func foldAsCGI(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(name))
}

// checkCaller holds that a request says who sent it, in our words, or is for an
// open path and says nothing.
func (s *strict) checkCaller(method string) {
	claims := 0
	for name, values := range s.header {
		switch {
		case strings.HasPrefix(name, "x-remote-extra-"):
			claims++
		case name == "x-remote-user" || name == "x-remote-uid":
			if claims++; len(values) != 1 {
				s.fail("%s %s: %s: %q", method, s.path, name, values)
			}
		case name == "x-remote-group":
			claims++
		case strings.HasPrefix(name, "x-remote") || strings.HasPrefix(name, "impersonate-") || name == "http2-settings",
			name == "upgrade" && (len(values) != 1 || !strings.EqualFold(values[0], "websocket")):
			s.fail("%s %s: %s: %q", method, s.path, name, values)
		case strings.Contains(strings.Join(values, " "), "eyJ"):
			s.fail("%s %s: a token in %s", method, s.path, name)
		}
	}
	user := strings.Join(s.header["x-remote-user"], "|")
	switch {
	case claims == 0 && isOpen(method, s.path):
	case claims == 0:
		s.fail("%s %s came without a caller", method, s.path)
	case user != "system:serviceaccount:ns:caller" && user != "system:serviceaccount:ns:other":
		s.fail("%s %s: X-Remote-User: %q", method, s.path, user)
	}
}

func (s *strict) body() {
	length, coding := s.header["content-length"], s.header["transfer-encoding"]
	switch {
	case len(s.header["host"]) != 1:
		s.fail("hosts: %q", s.header["host"])
	case length == nil && coding == nil:
	case len(length) == 1 && coding == nil && lengthValue.MatchString(length[0]):
		n, _ := strconv.Atoi(length[0])
		s.take(n)
	case length == nil && len(coding) == 1 && coding[0] == "chunked":
		s.chunks()
	default:
		s.fail("%s: Content-Length %q, Transfer-Encoding %q", s.path, length, coding)
	}
}

func (s *strict) chunks() {
	for !s.over {
		line := s.line()
		if s.over {
			return
		}
		if !chunkLine.MatchString(line) {
			s.fail("no chunk: %.200q", line)
			return
		}
		n, _ := strconv.ParseInt(line, 16, 64)
		if n == 0 {
			break
		}
		s.take(int(n))
		if after := s.line(); after != "" {
			s.fail("a chunk that goes on: %.200q", after)
		}
	}
	for name := range s.fields(map[string][]string{}) {
		if strings.HasPrefix(name, "x-remote") || strings.HasPrefix(name, "impersonate-") || strings.HasPrefix(name, "x-forwarded") || name == "authorization" {
			s.fail("a trailer %s", name)
		}
	}
}
