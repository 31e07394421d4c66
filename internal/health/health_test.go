package health

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

const (
	here  = "127.0.0.1:40000"
	there = "10.1.2.3:40000"
)

var metrics = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, "metrics") })

// ask sends a request for path from the address to h's admin listener.
func ask(h *Health, method, path, from string, header http.Header) *httptest.ResponseRecorder {
	w, r := httptest.NewRecorder(), httptest.NewRequest(method, path, nil)
	r.RemoteAddr = from
	if header != nil {
		r.Header = header
	}
	h.Handler(metrics).ServeHTTP(w, r)
	return w
}

// A condSwitch is a condition that tests turn on and off.
type condSwitch struct{ bad atomic.Bool }

func (s *condSwitch) check() error {
	if s.bad.Load() {
		return errors.New("out of order")
	}
	return nil
}

func TestLife(t *testing.T) {
	h := New()
	var start, other, ready condSwitch
	h.Startup("own token", start.check)
	h.Startup("keys", other.check)
	h.Ready("certificate", ready.check)
	for _, step := range []struct {
		name             string
		do               func()
		startup, readyIs int
	}{
		{"nothing is there", func() { start.bad.Store(true); other.bad.Store(true) }, 503, 503},
		{"one comes", func() { start.bad.Store(false) }, 503, 503},
		{"it goes as the other comes", func() { start.bad.Store(true); other.bad.Store(false) }, 503, 503},
		{"both are there", func() { start.bad.Store(false) }, 200, 200},
		{"started stays started", func() { start.bad.Store(true); other.bad.Store(true) }, 200, 200},
		{"a certificate expires", func() { ready.bad.Store(true) }, 200, 503},
		{"and is renewed", func() { ready.bad.Store(false) }, 200, 200},
		{"draining", func() { h.Drain() }, 200, 503},
		{"draining is for ever", func() { start.bad.Store(false); other.bad.Store(false); h.Drain() }, 200, 503},
	} {
		step.do()
		// Ready first: it must not depend on who asks for /startupz.
		for _, p := range []struct {
			path string
			want int
		}{{"/readyz", step.readyIs}, {"/startupz", step.startup}, {"/livez", 200}} {
			if got := ask(h, "GET", p.path, there, nil).Code; got != p.want {
				t.Errorf("%s: %s is %d, want %d", step.name, p.path, got, p.want)
			}
		}
	}
}

// Readiness latches the start too: a pod without a startup probe gets ready.
func TestReadyNeedsNoStartupProbe(t *testing.T) {
	h := New()
	var start condSwitch
	h.Startup("keys", start.check)
	if got := ask(h, "GET", "/readyz", there, nil).Code; got != 200 {
		t.Fatalf("/readyz is %d, want 200", got)
	}
	start.bad.Store(true)
	if got := ask(h, "GET", "/readyz", there, nil).Code; got != 200 {
		t.Errorf("/readyz is %d after the start, want 200", got)
	}
}

func TestDrainBeforeStart(t *testing.T) {
	h := New()
	h.Drain()
	if got := ask(h, "GET", "/readyz", here, nil).Code; got != 503 {
		t.Errorf("/readyz is %d, want 503", got)
	}
}

// failingHealth has a problem of each kind, one with an odd text.
func failingHealth() *Health {
	h := New()
	h.Startup("own token", func() error { return errors.New("no token in /var/run/x\nyet\x1b[31m") })
	h.Ready("certificate", func() error { return errors.New("expired") })
	h.Drain()
	return h
}

func TestAnswers(t *testing.T) {
	const (
		all  = "not-ready\nown token: no token in /var/run/x yet [31m\ncertificate: expired\ndrain: the gate is draining and will stop\n"
		list = `{"state":"not-ready","problems":[` +
			`{"name":"own token","why":"no token in /var/run/x yet [31m"},` +
			`{"name":"certificate","why":"expired"},` +
			`{"name":"drain","why":"the gate is draining and will stop"}]}` + "\n"
	)
	for _, tt := range []struct {
		name, path, from, accept string
		code                     int
		body                     string
	}{
		{"from loopback", "/readyz", here, "", 503, all},
		{"from loopback, IPv6", "/readyz", "[::1]:1", "", 503, all},
		{"from loopback, mapped", "/readyz", "[::ffff:127.0.0.1]:1", "", 503, all},
		{"from 127.0.0.2", "/readyz", "127.0.0.2:1", "", 503, all},
		{"from elsewhere", "/readyz", there, "", 503, "not-ready\n"},
		{"from elsewhere, IPv6", "/readyz", "[2001:db8::1]:1", "", 503, "not-ready\n"},
		{"from no address", "/readyz", "", "", 503, "not-ready\n"},
		{"from an unnamed socket", "/readyz", "@", "", 503, "not-ready\n"},
		{"from a name", "/readyz", "localhost:1", "", 503, "not-ready\n"},
		{"JSON from loopback", "/readyz", here, "application/json", 503, list},
		{"JSON from elsewhere", "/readyz", there, "application/json", 503, `{"state":"not-ready"}` + "\n"},
		{"JSON among others", "/readyz", there, "text/html, application/json;q=0.5", 503, `{"state":"not-ready"}` + "\n"},
		{"not quite JSON", "/readyz", there, "application/jsonp", 503, "not-ready\n"},
		{"anything", "/readyz", there, "*/*", 503, "not-ready\n"},
		{"start", "/startupz", there, "", 503, "not-started\n"},
		{"start from loopback", "/startupz", here, "", 503, "not-started\nown token: no token in /var/run/x yet [31m\n"},
		{"life", "/livez", here, "", 200, "ok\n"},
		{"life in JSON", "/livez", here, "application/json", 200, `{"state":"ok"}` + "\n"},
		{"metrics", "/metrics", there, "", 200, "metrics\n"},
	} {
		w := ask(failingHealth(), "GET", tt.path, tt.from, http.Header{"Accept": {tt.accept}})
		if w.Code != tt.code || w.Body.String() != tt.body {
			t.Errorf("%s: %d %q, want %d %q", tt.name, w.Code, w.Body, tt.code, tt.body)
		}
		if got := w.Header().Get("Cache-Control"); got != "no-store" && tt.path != "/metrics" {
			t.Errorf("%s: Cache-Control %q", tt.name, got)
		}
	}
}

// Headers do not make anybody local.
func TestReasonsGoByTheSocket(t *testing.T) {
	for _, name := range []string{"X-Forwarded-For", "X-Real-Ip", "Forwarded", "Host"} {
		h := http.Header{name: {"127.0.0.1"}}
		if body := ask(failingHealth(), "GET", "/readyz", there, h).Body.String(); body != "not-ready\n" {
			t.Errorf("with %s: %q", name, body)
		}
	}
}

func TestPathsAndMethods(t *testing.T) {
	for _, tt := range []struct {
		method, path string
		want         int
	}{
		{"GET", "/readyz?verbose", 200},
		{"HEAD", "/readyz", 200},
		{"HEAD", "/metrics", 200},
		{"POST", "/readyz", 405},
		{"PUT", "/livez", 405},
		{"DELETE", "/metrics", 405},
		{"OPTIONS", "/startupz", 405},
		{"CONNECT", "/livez", 405},
		{"GET", "/", 404},
		{"GET", "/readyz/", 404},
		{"GET", "//readyz", 404},
		{"GET", "/x/../readyz", 404},
		{"GET", "/READYZ", 404},
		{"GET", "/drain", 404},
		{"POST", "/drain", 404},
		{"GET", "/log-level", 404},
		{"GET", "/debug/pprof/", 404},
	} {
		w := ask(New(), tt.method, tt.path, here, nil)
		if w.Code != tt.want {
			t.Errorf("%s %s: %d, want %d", tt.method, tt.path, w.Code, tt.want)
		}
		if allow := w.Header().Get("Allow"); (w.Code == 405) != (allow == "GET, HEAD") {
			t.Errorf("%s %s: %d with Allow %q", tt.method, tt.path, w.Code, allow)
		}
	}
}

// Over a true listener: the address is that of the socket, and HEAD has no body.
func TestServed(t *testing.T) {
	s := httptest.NewServer(failingHealth().Handler(metrics))
	defer s.Close()
	resp, err := s.Client().Head(s.URL + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 503 || resp.ContentLength < int64(len("not-ready\nown token")) {
		t.Errorf("HEAD: %s with %d bytes, want 503 with the reasons' length", resp.Status, resp.ContentLength)
	}
}

func TestProbesInParallel(t *testing.T) {
	h := New()
	var start condSwitch
	h.Startup("keys", start.check)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 200 {
				if code := ask(h, "GET", "/readyz", here, nil).Code; code != 200 && code != 503 {
					t.Errorf("/readyz is %d", code)
				}
			}
		})
	}
	all.Go(h.Drain)
	all.Wait()
	if body := ask(h, "GET", "/readyz", here, nil).Body.String(); !strings.HasPrefix(body, "not-ready\ndrain: ") {
		t.Errorf("after Drain: %q", body)
	}
}
