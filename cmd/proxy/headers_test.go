package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// A header of many lines, or of many bytes.
func headerOf(lines, bytes int) (names, values []string) {
	for i := range lines {
		names = append(names, fmt.Sprintf("x-%d", i))
		values = append(values, strings.Repeat("v", bytes/lines))
	}
	return names, values
}

// Too many lines, and too many bytes, are 431 in HTTP/1.1 and HTTP/2 alike. Far
// too many bytes end an HTTP/2 connection: Go's server does not read on then.
func TestHeaderLimits(t *testing.T) {
	t.Parallel()
	w := start(t, append(certified(t, time.Hour), "--public-path=/*", "--max-headers=100")...)
	for _, tc := range []struct {
		lines, bytes, want int
	}{
		{90, 1000, 200},
		{100, 40000, 200},
		{101, 1000, 431},
		{3, 72000, 431},
	} {
		names, values := headerOf(tc.lines, tc.bytes)
		if got := w.rawHTTP1(names, values); got != tc.want {
			t.Errorf("HTTP/1.1, %d lines of %d bytes: %d, want %d", tc.lines, tc.bytes, got, tc.want)
		}
		if got := w.rawHTTP2(names, values); got != tc.want {
			t.Errorf("HTTP/2, %d lines of %d bytes: %d, want %d", tc.lines, tc.bytes, got, tc.want)
		}
	}
	names, values := headerOf(4, 200000)
	if got := w.rawHTTP1(names, values); got != 431 {
		t.Errorf("HTTP/1.1, far too much: %d, want 431", got)
	}
	if got := w.rawHTTP2(names, values); got != 0 {
		t.Errorf("HTTP/2, far too much: %d, want the end of the connection", got)
	}
	if got := w.metric(`sallyport_requests_total{code="431",reason="headers",route="default"}`); got != "2" {
		t.Errorf("%s requests have the reason headers, want 2", got)
	}
}

func (w *world) dialTLS(proto string) net.Conn {
	w.t.Helper()
	c, err := tls.Dial("tcp", w.gate.data.addr(), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{proto}})
	must(w.t, err)
	must(w.t, c.SetDeadline(time.Now().Add(10*time.Second)))
	return c
}

func (w *world) rawHTTP1(names, values []string) int {
	w.t.Helper()
	c := w.dialTLS("http/1.1")
	defer c.Close()
	fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: x\r\n")
	for i, name := range names {
		fmt.Fprintf(c, "%s: %s\r\n", name, values[i])
	}
	fmt.Fprint(c, "\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		w.t.Errorf("HTTP/1.1: %v", err)
		return 0
	}
	return resp.StatusCode
}

// rawHTTP2 sends what no client would, as the server has told the limit.
func (w *world) rawHTTP2(names, values []string) int {
	w.t.Helper()
	c := w.dialTLS("h2")
	defer c.Close()
	fmt.Fprint(c, http2.ClientPreface)
	f := http2.NewFramer(c, c)
	must(w.t, f.WriteSettings())
	var block bytes.Buffer
	e := hpack.NewEncoder(&block)
	for _, p := range [][2]string{{":method", "GET"}, {":scheme", "https"}, {":authority", "x"}, {":path", "/"}} {
		must(w.t, e.WriteField(hpack.HeaderField{Name: p[0], Value: p[1]}))
	}
	for i, name := range names {
		must(w.t, e.WriteField(hpack.HeaderField{Name: name, Value: values[i]}))
	}
	_ = writeHeader(f, 1, block.Bytes(), true) // fails where the server has had enough
	f.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			if !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) {
				w.t.Errorf("HTTP/2: %v", err)
			}
			return 0
		}
		if h, ok := frame.(*http2.MetaHeadersFrame); ok {
			var code int
			fmt.Sscan(h.PseudoValue("status"), &code)
			return code
		}
	}
}
