package health

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// A call is one request to the debug listener; what is left out is that of curl
// on the same machine.
type call struct {
	method, path, body string
	from, host         string
	header             http.Header
	unix               bool
}

func (c call) send(h http.Handler) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	r := httptest.NewRequest(c.method, "http://localhost:9902"+c.path, strings.NewReader(c.body))
	r.RemoteAddr = here
	if c.from != "" {
		r.RemoteAddr = c.from
	}
	if c.host != "" {
		r.Host = c.host
	}
	for name, values := range c.header {
		r.Header[name] = values
	}
	var local net.Addr = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9902}
	if c.unix {
		local = &net.UnixAddr{Net: "unix", Name: "/run/debug.sock"}
	}
	r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, local))
	h.ServeHTTP(w, r)
	return w
}

var noPage = http.NotFoundHandler()

func noDrain(context.Context) error { return nil }

func TestLogLevel(t *testing.T) {
	for _, tt := range []struct {
		name string
		call call
		code int
		body string
		want zapcore.Level
	}{
		{"read", call{method: "GET"}, 200, "info\n", zap.InfoLevel},
		{"set", call{method: "POST", body: "debug"}, 200, "debug\n", zap.DebugLevel},
		{"set with a line break", call{method: "POST", body: " warn\r\n"}, 200, "warn\n", zap.WarnLevel},
		{"set error", call{method: "POST", body: "error"}, 200, "error\n", zap.ErrorLevel},
		{"the same", call{method: "POST", body: "info"}, 200, "info\n", zap.InfoLevel},
		{"none", call{method: "POST"}, 400, "send debug, info, warn or error\n", zap.InfoLevel},
		{"upper case", call{method: "POST", body: "DEBUG"}, 400, "send debug, info, warn or error\n", zap.InfoLevel},
		{"one that hides errors", call{method: "POST", body: "fatal"}, 400, "send debug, info, warn or error\n", zap.InfoLevel},
		{"markup", call{method: "POST", body: "<script>"}, 400, "send debug, info, warn or error\n", zap.InfoLevel},
		{"the longest body", call{method: "POST", body: "debug" + strings.Repeat(" ", 59)}, 200, "debug\n", zap.DebugLevel},
		{"too large", call{method: "POST", body: "debug" + strings.Repeat(" ", 60)}, 413, "the body is too large\n", zap.InfoLevel},
		{"another method", call{method: "PUT", body: "debug"}, 405, "Method Not Allowed\n", zap.InfoLevel},
		{"in the query", call{method: "GET", path: "?level=debug"}, 200, "info\n", zap.InfoLevel},
	} {
		level := zap.NewAtomicLevel()
		tt.call.path = "/log-level" + tt.call.path
		w := tt.call.send(Debug(noDrain, level, noPage))
		if w.Code != tt.code || w.Body.String() != tt.body || level.Level() != tt.want {
			t.Errorf("%s: %d %q, level %s, want %d %q, level %s", tt.name, w.Code, w.Body, level, tt.code, tt.body, tt.want)
		}
		if allow := w.Header().Get("Allow"); (allow == "GET, HEAD, POST") != (tt.code == 405) {
			t.Errorf("%s: Allow: %q", tt.name, allow)
		}
	}
}

func TestDrainEndpoint(t *testing.T) {
	for _, tt := range []struct {
		name  string
		call  call
		err   error
		code  int
		calls int
	}{
		{"drained", call{method: "POST", path: "/drain"}, nil, 200, 1},
		{"failed", call{method: "POST", path: "/drain"}, errors.New("no"), 503, 1},
		{"by GET", call{method: "GET", path: "/drain"}, nil, 405, 0},
		{"by HEAD", call{method: "HEAD", path: "/drain"}, nil, 405, 0},
		{"another path", call{method: "POST", path: "/drain/x"}, nil, 404, 0},
		{"the root", call{method: "GET", path: "/"}, nil, 404, 0},
		{"profiles", call{method: "GET", path: "/debug/pprof/heap"}, nil, 200, 0},
		{"profiles, changed", call{method: "POST", path: "/debug/pprof/heap"}, nil, 404, 0},
	} {
		calls := 0
		h := Debug(func(context.Context) error { calls++; return tt.err }, zap.NewAtomicLevel(), noPage)
		w := tt.call.send(h)
		if w.Code != tt.code || calls != tt.calls {
			t.Errorf("%s: %d after %d calls, want %d after %d", tt.name, w.Code, calls, tt.code, tt.calls)
		}
		if allow := w.Header().Get("Allow"); (allow == "POST") != (tt.code == 405) {
			t.Errorf("%s: Allow: %q", tt.name, allow)
		}
	}
}

// Who may call, by where from, under which name, and out of which page.
// A page of another site may have a browser ask by GET too, and hold up the
// operator's own profile.
func TestOtherSitesRead(t *testing.T) {
	cross := func(mode string) http.Header {
		return http.Header{"Sec-Fetch-Site": {"cross-site"}, "Sec-Fetch-Mode": {mode}}
	}
	for _, tt := range []struct {
		path, mode string
		code       int
	}{
		{"/debug/pprof/heap", "no-cors", 403},
		{"/debug/pprof/heap", "navigate", 403},
		{"/events", "no-cors", 403},
		{"/log-level", "cors", 403},
		{"/", "no-cors", 403},
		{"/", "navigate", 404}, // the page itself, by a link
	} {
		c := call{method: "GET", path: tt.path, header: cross(tt.mode)}
		if w := c.send(Debug(noDrain, zap.NewAtomicLevel(), noPage)); w.Code != tt.code {
			t.Errorf("%s, %s: %d, want %d", tt.path, tt.mode, w.Code, tt.code)
		}
	}
}

func TestWhoMayCall(t *testing.T) {
	header := func(nameValue ...string) http.Header {
		h := http.Header{}
		for i := 0; i < len(nameValue); i += 2 {
			h.Set(nameValue[i], nameValue[i+1])
		}
		return h
	}
	for _, tt := range []struct {
		name string
		call call
		want int
	}{
		{"curl", call{}, 200},
		{"IPv6", call{from: "[::1]:1", host: "[::1]:9902"}, 200},
		{"IPv6 without a port", call{from: "[::1]:1", host: "[::1]"}, 200},
		{"mapped", call{from: "[::ffff:127.0.0.1]:1", host: "127.0.0.1:9902"}, 200},
		{"localhost in another case", call{host: "LocalHost"}, 200},
		{"another port, as through a port-forward", call{host: "localhost:1234"}, 200},
		{"another loopback address", call{host: "127.8.9.1:9902"}, 200},

		{"another machine", call{from: there}, 403},
		{"another machine, IPv6", call{from: "[2001:db8::1]:1"}, 403},
		{"another machine that says it is here", call{from: there, header: header("X-Forwarded-For", "127.0.0.1")}, 403},
		{"no peer address", call{from: "@"}, 403},
		{"a peer that is a path", call{from: "/tmp/x"}, 403},

		{"rebound name", call{host: "evil.example:9902"}, 403},
		{"rebound name like ours", call{host: "127.0.0.1.evil.example"}, 403},
		{"rebound name below localhost", call{host: "x.localhost"}, 403},
		{"rebound name after localhost", call{host: "localhost.evil.example"}, 403},
		{"trailing dot", call{host: "localhost."}, 403},
		{"user info", call{host: "localhost@evil.example"}, 403},
		{"pod address", call{host: "10.1.2.3:9902"}, 403},
		{"unspecified address", call{host: "0.0.0.0:9902"}, 403},
		{"short address", call{host: "127.1:9902"}, 403},
		{"address in octal", call{host: "0177.0.0.1"}, 403},
		{"address as a number", call{host: "2130706433"}, 403},
		{"address with a zone", call{host: "[::1%25lo]:9902"}, 403},
		{"two hosts", call{host: "localhost, evil.example"}, 403},
		{"half a bracket", call{host: "[127.0.0.1"}, 403},
		{"a space", call{host: " "}, 403},

		{"own page", call{header: header("Sec-Fetch-Site", "same-origin")}, 200},
		{"typed into the address bar", call{header: header("Sec-Fetch-Site", "none")}, 200},
		{"another site's page", call{header: header("Sec-Fetch-Site", "cross-site")}, 403},
		{"another port's page", call{header: header("Sec-Fetch-Site", "same-site")}, 403},
		{"another origin", call{header: header("Origin", "https://evil.example")}, 403},
		{"another port's origin", call{header: header("Origin", "http://localhost:3000")}, 403},
		{"no origin to speak of", call{header: header("Origin", "null")}, 403},
		{"own origin", call{header: header("Origin", "http://localhost:9902")}, 200},

		{"unix socket", call{from: "@", host: "debug", unix: true}, 200},
		{"unix socket with a bound peer", call{from: "/tmp/x", host: "debug", unix: true}, 200},
		{"unix socket, another origin", call{from: "@", host: "debug", unix: true, header: header("Origin", "https://evil.example")}, 403},
	} {
		for _, path := range []string{"/drain", "/log-level"} {
			c := tt.call
			c.method, c.path, c.body = "POST", path, "debug"
			calls, level := 0, zap.NewAtomicLevel()
			w := c.send(Debug(func(context.Context) error { calls++; return nil }, level, noPage))
			if w.Code != tt.want {
				t.Errorf("%s: POST %s: %d, want %d", tt.name, path, w.Code, tt.want)
			}
			if did := calls == 1 || level.Level() == zap.DebugLevel; did != (tt.want == 200) {
				t.Errorf("%s: POST %s: did it = %v", tt.name, path, did)
			}
		}
	}
}

// What only reads is also no business of a rebound name's or another machine's.
func TestWhoMayRead(t *testing.T) {
	for _, c := range []call{{host: "evil.example"}, {from: there}} {
		c.method, c.path = "GET", "/log-level"
		if w := c.send(Debug(noDrain, zap.NewAtomicLevel(), noPage)); w.Code != 403 || strings.Contains(w.Body.String(), "info") {
			t.Errorf("%+v: %d %q, want 403", c, w.Code, w.Body)
		}
	}
}

// Whatever is answered, a browser keeps nothing of it, guesses nothing and runs nothing.
func TestStrict(t *testing.T) {
	own := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			w.Header().Set("Content-Security-Policy", "default-src 'self'")
		}
	})
	for _, tt := range []struct {
		call call
		code int
	}{
		{call{path: "/"}, 200}, {call{path: "/status"}, 200}, {call{path: "/log-level"}, 200}, {call{path: "/debug/pprof/"}, 200},
		{call{path: "/debug/pprof/nothing"}, 404}, {call{path: "/drain"}, 405}, {call{method: "POST", path: "/drain"}, 200},
		{call{method: "POST", path: "/log-level", body: "odd"}, 400}, {call{path: "/", from: there}, 403}, {call{path: "/", host: "evil.example"}, 403},
		{call{path: "/log-level", header: http.Header{"Sec-Fetch-Site": {"cross-site"}}}, 403},
		{call{method: "POST", path: "/drain", header: http.Header{"Sec-Fetch-Site": {"cross-site"}}}, 403},
	} {
		if tt.call.method == "" {
			tt.call.method = "GET"
		}
		w := tt.call.send(Debug(noDrain, zap.NewAtomicLevel(), own))
		h := w.Header()
		if w.Code != tt.code || h.Get("Cache-Control") != "no-store" || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("%+v: %d %v, want %d", tt.call, w.Code, h, tt.code)
		}
		if csp, want := h.Get("Content-Security-Policy"), tt.code == 200 && tt.call.path == "/"; strings.HasPrefix(csp, "default-src 'none'; ") == want || csp == "" {
			t.Errorf("%+v: the policy is %q", tt.call, csp)
		}
	}
}

// HTTP/1.0 needs no Host, and a server then has an empty one.
func TestNoHost(t *testing.T) {
	r := httptest.NewRequest("GET", "/log-level", nil)
	r.RemoteAddr, r.Host = here, ""
	w := httptest.NewRecorder()
	Debug(noDrain, zap.NewAtomicLevel(), noPage).ServeHTTP(w, r)
	if w.Code != 403 {
		t.Errorf("%d, want 403", w.Code)
	}
}

// serve serves h on l with a limit on answers that a drain exceeds.
func serve(t *testing.T, l net.Listener, h http.Handler) {
	s := &http.Server{Handler: h, WriteTimeout: 50 * time.Millisecond}
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
}

// A drain outlasts the server's limit on answers.
func TestLongDrain(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serve(t, l, Debug(func(context.Context) error { time.Sleep(150 * time.Millisecond); return nil }, zap.NewAtomicLevel(), noPage))
	resp, err := http.Post("http://"+l.Addr().String()+"/drain", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, _ := io.ReadAll(resp.Body); resp.StatusCode != 200 || string(body) != "drained\n" {
		t.Errorf("%s %q, want 200 drained", resp.Status, body)
	}
}

// A caller that hangs up ends the wait.
func TestDrainCallerHangsUp(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	began, ended := make(chan bool), make(chan error, 1)
	serve(t, l, Debug(func(ctx context.Context) error {
		close(began)
		<-ctx.Done()
		ended <- ctx.Err()
		return ctx.Err()
	}, zap.NewAtomicLevel(), noPage))
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(c, "POST /drain HTTP/1.1\r\nHost: localhost\r\n\r\n")
	<-began
	c.Close()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the drain's context: %v, want context.Canceled", err)
	}
}

// A true unix socket is known by the socket, whatever Host says.
func TestUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	serve(t, l, Debug(noDrain, zap.NewAtomicLevel(), noPage))
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, "POST /drain HTTP/1.1\r\nHost: whatever\r\nConnection: close\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil || resp.StatusCode != 200 {
		t.Errorf("%+v, %v, want 200", resp, err)
	}
}
