package loopback

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// readPlain reads the head of an answer of the most usual form: HTTP/1.1, a status
// from 200 to 599 with a body, lines of printable ASCII that end in CRLF, one
// Content-Length, nothing else that says where the body ends or the connection, and
// all of it in br already. It takes half of net/http's time. Not ok: nothing was
// read, and the answer is for net/http, be it malformed or merely rare.
func readPlain(br *bufio.Reader, r *http.Request) (res *http.Response, ok bool) {
	if _, err := br.Peek(1); err != nil || r.Method == http.MethodHead {
		return nil, false
	}
	here, _ := br.Peek(br.Buffered()) // never fails
	end := bytes.Index(here, []byte("\r\n\r\n"))
	if end < 0 {
		return nil, false
	}
	head := string(here[:end+2])
	line, rest, _ := strings.Cut(head, "\r\n")
	res = &http.Response{Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r}
	if !setStatus(res, line) || !setHeader(res, rest) {
		return nil, false
	}
	_, _ = br.Discard(end + 4) // never fails
	if res.Body = http.NoBody; res.ContentLength > 0 {
		res.Body = &sized{br, res.ContentLength}
	}
	return res, true
}

func setStatus(res *http.Response, line string) (ok bool) {
	status, ok := strings.CutPrefix(line, "HTTP/1.1 ")
	if !ok || len(status) < 4 || status[3] != ' ' || status[0] < '2' || status[0] > '5' || !isPrintable(status) {
		return false
	}
	code, err := strconv.Atoi(status[:3])
	res.Status, res.StatusCode = status, code
	return err == nil && code != http.StatusNoContent && code != http.StatusNotModified
}

// setHeader takes lines apart, each of which ends in CRLF.
func setHeader(res *http.Response, lines string) (ok bool) {
	count := strings.Count(lines, "\n")
	values := make([]string, 0, count)
	res.Header = make(http.Header, count)
	res.ContentLength = -1
	for lines != "" {
		var line string
		line, lines, _ = strings.Cut(lines, "\r\n")
		name, value, found := strings.Cut(line, ":")
		value = strings.Trim(value, " \t")
		if !found || !httpguts.ValidHeaderFieldName(name) || !isPrintable(value) {
			return false
		}
		name = http.CanonicalHeaderKey(name)
		switch name {
		case "Transfer-Encoding", "Trailer", "Pragma":
			return false
		case "Connection":
			if !strings.EqualFold(value, "keep-alive") { // as it is anyway
				return false
			}
		case "Content-Length":
			if res.ContentLength >= 0 || !setLength(res, value) {
				return false
			}
		}
		if was := res.Header[name]; was != nil {
			res.Header[name] = append(was, value)
			continue
		}
		values = append(values, value)
		res.Header[name] = values[len(values)-1 : len(values) : len(values)]
	}
	return res.ContentLength >= 0
}

// setLength takes what is written in one way only, and below 10^15.
func setLength(res *http.Response, value string) (ok bool) {
	n, err := strconv.ParseUint(value, 10, 63)
	res.ContentLength = int64(n)
	return err == nil && len(value) <= 15 && (value[0] != '0' || len(value) == 1)
}

func isPrintable(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// sized is a body of known length.
type sized struct {
	br   *bufio.Reader
	left int64
}

// Read implements io.Reader. The end comes with the last byte.
func (s *sized) Read(p []byte) (int, error) {
	if s.left == 0 {
		return 0, io.EOF
	}
	n, err := s.br.Read(p[:min(int64(len(p)), s.left)])
	s.left -= int64(n)
	switch {
	case s.left == 0:
		err = io.EOF
	case err == io.EOF:
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// Close implements io.Closer.
func (s *sized) Close() error { return nil }
