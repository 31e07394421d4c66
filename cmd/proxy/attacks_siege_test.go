package main

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
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
		args = append(args, certified(t, time.Hour)...)
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

// shortDir is for sockets, whose paths must be short.
func shortDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sp")
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}
