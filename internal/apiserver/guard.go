package apiserver

import (
	"fmt"
	"io"
	"net/http"
)

// only refuses requests to any other host, and in clear, before a credential is
// added to them.
type only struct {
	host string
	next http.RoundTripper
}

// RoundTrip implements [http.RoundTripper].
func (o only) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme != "https" || req.URL.Host != o.host {
		closeBody(req)
		return nil, fmt.Errorf("refusing to send our credential to %s://%s, which is not the API server", req.URL.Scheme, req.URL.Host)
	}
	return o.next.RoundTrip(req)
}

// closeBody does what a transport has to do even with a request that it does
// not send.
func closeBody(req *http.Request) {
	if req.Body != nil {
		req.Body.Close()
	}
}

// maxAnswer bounds an answer in bytes. A TokenReview has a few KiB, a JWK Set
// seldom more; a server gone mad must not fill our memory.
const maxAnswer = 1 << 20

// bounded cuts answers that are too long.
type bounded struct{ http.RoundTripper }

// RoundTrip implements [http.RoundTripper].
func (b bounded) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := b.RoundTripper.RoundTrip(req)
	if err == nil {
		resp.Body = &boundedBody{resp.Body, maxAnswer}
	}
	return resp, err
}

type boundedBody struct {
	io.ReadCloser
	left int
}

// errTooLong is the end of an answer that is too long.
var errTooLong = tooLong{}

type tooLong struct{}

// Error implements error.
func (tooLong) Error() string { return fmt.Sprintf("the answer is longer than %d bytes", maxAnswer) }

// TooLong tells it from a broken connection, for those who count what went wrong
// and do not know this package.
func (tooLong) TooLong() bool { return true }

// Read implements [io.Reader]. At the bound it looks for one byte more: an
// answer that ends there is not too long.
func (b *boundedBody) Read(p []byte) (int, error) {
	if b.left > 0 {
		n, err := b.ReadCloser.Read(p[:min(len(p), b.left)])
		b.left -= n
		return n, err
	}
	n, err := b.ReadCloser.Read(make([]byte, 1))
	if n > 0 {
		return 0, errTooLong
	}
	return 0, err
}
