package loopback

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// sent returns the lines of the request that rt sends, in order but for the first.
func sent(t *testing.T, rt http.RoundTripper, r *http.Request, said chan string) ([]string, error) {
	res, err := rt.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	res.Body.Close()
	lines := strings.SplitAfter(<-said, "\r\n")
	slices.Sort(lines[1:])
	return lines, nil
}

// recorder dials an app that says what it was sent.
func recorder(t *testing.T) (dial func(context.Context) (net.Conn, error), said chan string) {
	said = make(chan string, 1)
	return func(context.Context) (net.Conn, error) {
		client, server := net.Pipe()
		t.Cleanup(func() { client.Close() })
		go func() {
			defer server.Close()
			var all []byte
			for b := make([]byte, 1024); !bytes.HasSuffix(all, []byte("\r\n\r\n")); {
				n, err := server.Read(b)
				if err != nil {
					return
				}
				all = append(all, b[:n]...)
			}
			said <- string(all)
			io.WriteString(server, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
		}()
		return client, nil
	}, said
}

// What is sent is what net/http sends; what is not carried is sent by nobody.
func TestHead(t *testing.T) {
	dial, said := recorder(t)
	theirs := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) }, DisableCompression: true}
	mine, err := New(Options{Dial: dial, MaxHeader: maxHeader})
	if err != nil {
		t.Fatal(err)
	}
	h := func(name string, values ...string) func(*http.Request) {
		return func(r *http.Request) { r.Header[name] = values }
	}
	path := func(path, raw, query string) func(*http.Request) {
		return func(r *http.Request) { r.URL.Path, r.URL.RawPath, r.URL.RawQuery = path, raw, query }
	}
	host := func(host string) func(*http.Request) { return func(r *http.Request) { r.Host = host } }
	method := func(m string) func(*http.Request) { return func(r *http.Request) { r.Method = m } }
	for _, tc := range []struct {
		name    string
		with    func(*http.Request)
		carried bool
	}{
		{"plain", func(*http.Request) {}, true},
		{"a header", h("X-A", "b"), true},
		{"many values", h("X-A", "b", "", "c", "b"), true},
		{"no value", h("X-A"), true},
		{"spaces around", h("X-A", "  b\t"), true},
		{"bytes above 127", h("X-A", "\xff\xc3\xa9"), true},
		{"an odd name", h("x_a!", "b"), true},
		{"two agents", h("User-Agent", "a", "b"), true},
		{"no agent", h("User-Agent"), true},
		{"an empty agent", h("User-Agent", ""), true},
		{"Host as a header", h("Host", "other"), true},
		{"Content-Length", h("Content-Length", "9"), true},
		{"Transfer-Encoding", h("Transfer-Encoding", "chunked"), true},
		{"Trailer", h("Trailer", "A"), true},
		{"TE", h("Te", "trailers"), true},
		{"cookies", h("Cookie", "a=b", "c=d"), true},
		{"HEAD", method("HEAD"), true},
		{"POST", method("POST"), true},
		{"PUT", method("PUT"), true},
		{"PATCH", method("PATCH"), true},
		{"DELETE", method("DELETE"), true},
		{"a method of one's own", method("PROPFIND"), true},
		{"a query", path("/a", "", "b=c&d"), true},
		{"an empty query", func(r *http.Request) { r.URL.ForceQuery = true }, true},
		{"an encoded path", path("/a b/c", "/a%20b%2Fc", ""), true},
		{"a path that needs encoding", path("/a b\u00e9", "", ""), true},
		{"an opaque target", func(r *http.Request) { r.URL.Opaque = "/a'b" }, true},
		{"no path", path("", "", ""), true},
		{"another host", host("shop.example:8080"), true},
		{"an IPv6 host", host("[::1]:80"), true},
		{"no host", host(""), true},
		{"NoBody", func(r *http.Request) { r.Body = http.NoBody }, true},

		{"a zone", host("[fe80::1%25eth0]:80"), false},
		{"a host in Unicode", host("b\u00fccher.example"), false},
		{"an invalid host", host("a b"), false},
		{"a host with a line", host("a\r\nX-A: b"), false},
		{"CONNECT", method("CONNECT"), false},
		{"an invalid method", method("GE T"), false},
		{"a method with a line", method("GET / HTTP/1.1\r\nX-A: b\r\n"), false},
		{"a space in the query", path("/", "", "a b"), false},
		{"a line in the query", path("/", "", "a HTTP/1.1\r\nX-A: b"), false},
		{"a line in the target", func(r *http.Request) { r.URL.Opaque = "/a\r\nX-A: b" }, false},
		{"DEL in the target", func(r *http.Request) { r.URL.Opaque = "/a\x7f" }, false},
		{"a line in a value", h("X-A", "b\r\nX-C: d"), false},
		{"LF in a value", h("X-A", "b\nX-C: d"), false},
		{"CR in a value", h("X-A", "b\rX-C: d"), false},
		{"NUL in a value", h("X-A", "b\x00"), false},
		{"a line in a name", h("X-A: b\r\nX-C", "d"), false},
		{"a colon in a name", h("X-A:", "d"), false},
		{"a space in a name", h("X A", "d"), false},
		{"an empty name", h("", "d"), false},
		{"Expect", h("Expect", "100-continue"), false},
		{"Upgrade", h("Upgrade", "websocket"), false},
		{"Connection", h("Connection", "close"), false},
		{"a body", func(r *http.Request) { r.Body, r.ContentLength = io.NopCloser(strings.NewReader("a")), 1 }, false},
		{"a body of unknown length", func(r *http.Request) { r.Body, r.ContentLength = io.NopCloser(strings.NewReader("a")), -1 }, false},
		{"a body, maybe", func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader("")) }, false},
		{"a length", func(r *http.Request) { r.ContentLength = 1 }, false},
		{"chunked", func(r *http.Request) { r.TransferEncoding = []string{"chunked"} }, false},
		{"a trailer", func(r *http.Request) { r.Trailer = http.Header{"A": nil} }, false},
		{"Close", func(r *http.Request) { r.Close = true }, false},
		{"https", func(r *http.Request) { r.URL.Scheme = "https" }, false},
		{"nowhere", func(r *http.Request) { r.URL.Host = "" }, false},
		{"no URL", func(r *http.Request) { r.URL = nil }, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			make := func() *http.Request {
				r := &http.Request{Method: "GET", URL: &url.URL{Scheme: "http", Host: "app.example", Path: "/"}, Host: "shop.example", Header: http.Header{"User-Agent": {"test"}}}
				tc.with(r)
				return r.WithContext(t.Context())
			}
			got, err := sent(t, mine, make(), said)
			if tc.carried != (err == nil) || err != nil && !errors.Is(err, http.ErrSkipAltProtocol) {
				t.Fatalf("%q, %v", got, err)
			}
			if !tc.carried {
				return
			}
			r := make()
			if len(r.Header["User-Agent"]) == 0 {
				r.Header["User-Agent"] = []string{""} // net/http would make one up
			}
			if want, err := sent(t, theirs, r, said); err != nil || !slices.Equal(got, want) {
				t.Errorf("got  %q\nwant %q, %v", got, want, err)
			}
		})
	}
}
