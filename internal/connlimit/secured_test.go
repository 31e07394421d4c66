package connlimit

import (
	"bytes"
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// lines are what was logged.
type lines struct {
	mu  sync.Mutex
	all bytes.Buffer
}

// Write implements [io.Writer].
func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.String()
}

// serverConfig has a certificate of nobody's.
func serverConfig(t *testing.T) *tls.Config {
	t.Helper()
	s := httptest.NewTLSServer(nil)
	defer s.Close()
	return &tls.Config{Certificates: s.TLS.Certificates, NextProtos: []string{"h2", "http/1.1"}}
}

// Requests in TLS know it, and both protocols are spoken.
func TestSecured(t *testing.T) {
	t.Parallel()
	s := newSiteWith(t, 8, serverConfig(t))
	for _, h2 := range []bool{false, true} {
		tr := &http.Transport{ForceAttemptHTTP2: h2, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
		resp, err := (&http.Client{Transport: tr}).Get("https://" + s.addr)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		tr.CloseIdleConnections()
		if resp.ProtoAtLeast(2, 0) != h2 || string(body) != "well, in TLS 1.3" {
			t.Errorf("%s: %s", resp.Proto, body)
		}
	}
	s.eventually("closed", func() bool { return s.limit.Open() == 0 })
}

// Who does not speak TLS, or not what was agreed on, is gone; who sends HTTP is told
// why.
func TestNotSecured(t *testing.T) {
	t.Parallel()
	s := newSiteWith(t, 8, serverConfig(t))
	h2 := &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}}
	old := &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	for _, tc := range []struct {
		name, sent string
		config     *tls.Config // nil: without TLS
		want, log  string
	}{
		{"HTTP", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", nil, "HTTP/1.0 400 Bad Request\r\nContent-Type: text/plain\r\n\r\nThis port is for https, and this was http.\n", "does not look like a TLS handshake"},
		{"HTTP/2", string(preface), nil, "HTTP/1.0 400 ", "does not look like a TLS handshake"},
		{"something", "\x00\x01\x02\x03\x04\x05\x06\x07", nil, "", "does not look like a TLS handshake"},
		{"an older version", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", old, "", "unsupported versions"},
		{"not what was agreed on", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", h2, "", ""},
	} {
		k := s.dial("127.0.0.1", "")
		var rw io.ReadWriter = k
		if tc.config != nil {
			rw = tls.Client(k, tc.config)
		}
		k.SetDeadline(time.Now().Add(20 * time.Second))
		io.WriteString(rw, tc.sent)
		got, _ := io.ReadAll(rw)
		if !strings.HasPrefix(string(got), tc.want) || tc.want == "" && bytes.Contains(got, []byte("HTTP")) {
			t.Errorf("%s: got %q", tc.name, got)
		}
		s.eventually(tc.name+": closed", func() bool { return s.limit.Open() == 0 })
		if log := s.failed.String(); !strings.Contains(log, tc.log) {
			t.Errorf("%s: logged %q", tc.name, log)
		}
		s.failed.mu.Lock()
		s.failed.all.Reset()
		s.failed.mu.Unlock()
	}
}
