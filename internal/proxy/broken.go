package proxy

import (
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
)

// brokenIn says what was wrong with a part of the app's answer, and repeats none of
// it.
func brokenIn(part string, err error) string {
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the connection ended before the answer's " + part + " did"
	case errors.Is(err, net.ErrClosed):
		// net/http closes it for an answer that it cannot read, and then says no
		// more than that.
		return "the connection was given up before the answer's " + part + " was read"
	}
	// What net/http's transport says first is true of all of these.
	text := strings.TrimPrefix(err.Error(), "net/http: HTTP/1.x transport connection broken: ")
	return "the answer's " + part + ": " + unquoted(text)
}

// unquoted cuts an error's text where it begins to quote: net/http repeats the
// app's malformed lines, in which anything may be.
func unquoted(text string) string {
	text, _, _ = strings.Cut(text, `"`)
	return strings.TrimSpace(text)
}

// answerBody is the body of an answer that ReverseProxy carries, which says neither
// why it broke off nor which trailers it passes on.
type answerBody struct {
	io.ReadCloser
	x   *exchange
	res *http.Response
}

// Read implements io.Reader.
func (b answerBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	switch err {
	case nil:
	case io.EOF:
		filterTrailers(b.res)
	default:
		b.x.detail = brokenIn("body", err)
	}
	return n, err
}
