package main

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// A siege is a world whose gate is attacked.
type siege struct {
	*world
	whole testing.TB // not a row's
	way   way
	good  string // a token that is let in
	tap   *tap

	endless atomic.Int64 // bytes that the app has written there
	atHang  atomic.Int64 // requests at the app that hang
	most    atomic.Int64 // of them at a time

	mu       sync.Mutex
	outcomes map[string]string // and what had it first
	serial   int               // of the last request that has an answer of its own
	smuggled []string          // requests at the app that nobody was to get there
}

// siegeArgs open some paths, which a siege's app knows by [isOpen].
var siegeArgs = []string{
	"file:routes: [{path: /public/secret/*}, {path: /public/*, public: true}, {path: /status, public: true}, {path: /a.b, public: true}, {path: /read, methods: [GET], public: true}]",
	"--shutdown-grace=200ms",
}

// isOpen reports whether a request may come to the app without a caller's name.
func isOpen(method, path string) bool {
	return path == "/status" || path == "/a.b" || path == "/read" && method == http.MethodGet ||
		strings.HasPrefix(path, "/public/") && !strings.HasPrefix(strings.ToLower(path), "/public/secret")
}

// besiege starts a gate before an app whose wire is tapped.
func besiege(t testing.TB, way way, args []string) *siege {
	t.Helper()
	s := &siege{whole: t, way: way, tap: &tap{}, outcomes: map[string]string{}}
	args = append(append([]string{"--upstream=" + s.serveApp(t)}, siegeArgs...), args...)
	if way.tls {
		dir := t.TempDir()
		writeCertificate(t, dir, "gate", time.Now().Add(time.Hour))
		args = append(args, "--tls-cert-file="+filepath.Join(dir, "tls.crt"), "--tls-key-file="+filepath.Join(dir, "tls.key"))
	}
	s.world = start(t, args...)
	s.good = s.world.token()
	return s
}

// serveApp returns the app's URL.
func (s *siege) serveApp(t testing.TB) string {
	t.Helper()
	network, addr := "tcp", "127.0.0.1:0"
	if s.way.app == "unix" {
		network, addr = "unix", filepath.Join(shortDir(t), "app")
	}
	l, err := net.Listen(network, addr)
	must(t, err)
	app := &http.Server{Handler: http.HandlerFunc(s.seeRequest), Protocols: new(http.Protocols)}
	app.Protocols.SetHTTP1(true)
	app.Protocols.SetUnencryptedHTTP2(true)
	if s.way.app != "h2c" {
		l = tapped{l, s.tap}
	}
	go app.Serve(l)
	t.Cleanup(func() { app.Close() })
	return s.way.app + "://" + l.Addr().String()
}

// An arrival is what the app saw of a request. It is its answer.
type arrival struct {
	Method, Target, Host, Body string
	Header, Trailer            http.Header
}

func (s *siege) seeRequest(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/smuggled" {
		s.mu.Lock()
		s.smuggled = append(s.smuggled, r.Method+" "+r.RequestURI)
		s.mu.Unlock()
	}
	if r.URL.Path == "/endless" {
		s.writeEndlessly(w, r)
		return
	}
	if r.URL.Path == "/hang" {
		s.hang(r)
		return
	}
	if special := specialPaths[r.URL.Path]; special != nil {
		special(w, r)
		return
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		return // the gate answers
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(arrival{r.Method, r.RequestURI, r.Host, string(body), r.Header, r.Trailer})
}

// got notes an outcome.
func (s *siege) got(outcome, of string) {
	s.t.Logf("%s: %.160q", outcome, of)
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.outcomes[outcome]; !ok {
		s.outcomes[outcome] = of
	}
}

// A reply is what the caller got.
type reply struct {
	// outcome is the status; several, if there were several answers; "none" for
	// none; ", closed" follows where the connection was not to be used again.
	outcome string
	code    int
	header  http.Header
	body    string
	seen    *arrival // nil where the app did not answer
}

// dialGate opens a connection to the gate.
func (s *siege) dialGate(proto string) net.Conn {
	s.t.Helper()
	c, err := net.Dial("tcp", s.gate.data.addr())
	must(s.t, err)
	s.t.Cleanup(func() { c.Close() })
	must(s.t, c.SetDeadline(time.Now().Add(15*time.Second))) // a bug, not a hang
	if !s.way.tls {
		return c
	}
	return tls.Client(c, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{proto}})
}

// raw sends a request as it stands, with the good token in place of {token}, and
// then another, to see what became of the connection.
func (s *siege) raw(request string) reply {
	s.t.Helper()
	c := s.dialGate("http/1.1")
	defer c.Close()
	go io.WriteString(c, strings.ReplaceAll(request, "{token}", s.good)) // it may not be read to the end
	br := bufio.NewReader(c)
	r := reply{}
	asked := &http.Request{Method: methodOf(request)}
	for codes := []string{}; ; {
		res, err := http.ReadResponse(br, asked)
		if err == nil && res.StatusCode < 200 && res.StatusCode != http.StatusSwitchingProtocols {
			continue
		}
		var body []byte
		if err == nil {
			body, err = io.ReadAll(res.Body)
		}
		if res != nil && res.Close && errors.Is(err, syscall.ECONNRESET) {
			err = nil // the end of the connection was the body's
		}
		if err != nil { // however it was closed
			r.outcome = strings.Join(append(codes, "closed"), ", ")
			if len(codes) == 0 {
				r.outcome = "none"
			}
			return r
		}
		if len(codes) == 0 {
			r.code, r.header, r.body = res.StatusCode, res.Header, string(body)
			json.Unmarshal(body, &r.seen)
			asked = nil
			fmt.Fprint(c, "GET /probe HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		}
		if res.Close && res.StatusCode == http.StatusUnauthorized && len(codes) > 0 {
			r.outcome = strings.Join(codes, ", ")
			return r
		}
		codes = append(codes, fmt.Sprint(res.StatusCode))
		s.noTokenIn(r.body)
	}
}

// refused notes whether requests get 400, or no answer: the end of the connection
// may overtake it.
func (s *siege) refused(requests ...string) {
	s.t.Helper()
	for _, request := range requests {
		outcome := s.raw(request).outcome
		if outcome == "400, closed" || outcome == "none" {
			outcome = "refused"
		}
		s.got(outcome, request)
	}
}

func methodOf(request string) string {
	method, _, _ := strings.Cut(request, " ")
	return method
}

// through sends a request that has to reach the app, and returns what that saw.
func (s *siege) through(request string) *arrival {
	s.t.Helper()
	r := s.raw(request)
	if r.seen == nil {
		s.t.Fatalf("the app did not answer: %s: %.300q", r.outcome, request)
	}
	return r.seen
}

// aftermath is what holds after whatever was sent.
func (s *siege) aftermath() {
	s.t.Helper()
	if r := s.raw(known("/after")); r.outcome != "200" {
		s.t.Errorf("a good caller afterwards: %s", r.outcome)
	}
	for _, request := range s.smuggled {
		s.t.Errorf("smuggled to the app: %s", request)
	}
	for _, problem := range s.tap.problems() {
		s.t.Errorf("on the wire to the app: %s", problem)
	}
	if s.tap.requests == 0 && s.way.app != "h2c" {
		s.t.Error("the wire to the app is not tapped")
	}
	if _, metrics := s.admin("/metrics"); strings.Contains(metrics, `code="500"`) {
		s.t.Error("somebody got 500, which is a bug of ours")
	}
	s.nothingTold()
}

// A request line, and the lines of a header with the good token.
func known(target string, lines ...string) string {
	return send("GET", target, append(lines, "Authorization: Bearer {token}")...)
}

// anon is a request without a token.
func anon(target string, lines ...string) string { return send("GET", target, lines...) }

func send(method, target string, lines ...string) string {
	return method + " " + target + " HTTP/1.1\r\nHost: shop.example\r\n" + strings.Join(append(lines, "", ""), "\r\n")
}

// shortDir is for sockets, whose paths must be short.
func shortDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sp")
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}
