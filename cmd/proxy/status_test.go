package main

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"sallyport/internal/callers"
	"sallyport/internal/status"
)

// page asks the loopback listener.
func (w *world) page(path string) string {
	w.t.Helper()
	resp, err := http.Get("http://" + w.gate.debug.addr() + path)
	must(w.t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	must(w.t, err)
	return string(text)
}

// status asks for what the page shows.
func (w *world) status() (s status.Snapshot) {
	w.t.Helper()
	must(w.t, json.Unmarshal([]byte(w.page("/status")), &s))
	return s
}

func TestStatusPage(t *testing.T) {
	t.Parallel()
	w := start(t)
	if text := w.page("/status"); strings.Contains(text, "null") || strings.Contains(text, "0001-01-01") {
		t.Errorf("before anybody has called: %s", text)
	}
	token := w.token()
	w.want(200, token)
	w.want(200, token)
	w.want(401, w.token("elsewhere"))
	w.eventually("counted", func() bool { return len(w.status().Refusals.Last) == 1 })
	s := w.status()
	if s.State != status.Ready || s.Decisions != (status.Counts{Accepted: 2, Refused: 1}) || s.Mode != "hybrid" {
		t.Errorf("%+v", s)
	}
	if c := s.Callers; len(c) != 2 || c[0].Subject != "system:serviceaccount:ns:caller" || c[0].Requests != 2 || c[0].Expires.Before(s.Now) || c[1].Subject != "unknown" || c[1].Refusals != 1 {
		t.Errorf("callers: %+v", c)
	}
	if r := s.Refusals.Last[0]; r.Reason != "audience" || r.Path != "/" || r.Peer != "127.0.0.1" || r.Code != 401 {
		t.Errorf("refusal: %+v", r)
	}
	if i := s.Issuers; len(i) != 1 || len(i[0].Keys) != 1 || i[0].Fetched.IsZero() || i[0].Keys[0].Since.IsZero() {
		t.Errorf("issuers: %+v", i)
	}
	if o := s.OwnToken; o == nil || o.State != "fresh" || o.Rotations != 0 || len(o.Loaded) != 1 || !o.Rotate.After(s.Now) {
		t.Errorf("own token: %+v", o)
	}
	must(t, w.kubelet.RotateNow())
	begun := time.Now()
	w.eventually("rotated", func() bool { return w.status().OwnToken.Rotations == 1 })
	if took := time.Since(begun); took > (time.Second+atOnce)*unhurried {
		t.Errorf("a rotation is shown after %v", took)
	}
	w.server.Stop()
	w.want(503, w.token())
	w.eventually("degraded", func() bool { s = w.status(); return s.State == status.Degraded })
	// It is said once what failed, in words.
	if s.APIServer.AwaySince.IsZero() || !strings.HasPrefix(s.APIServer.Why, "no review from the API server (network): ") || !strings.Contains(s.Says, "the API server gives no answer") {
		t.Errorf("%+v %s", s.APIServer, s.Says)
	}
	for _, path := range []string{"/status", "/events", "/style.css", "/nothing"} {
		resp, err := http.Get("http://" + w.gate.debug.addr() + path)
		must(t, err)
		resp.Body.Close()
		if h := resp.Header; h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Cache-Control") != "no-store" || h.Get("Content-Security-Policy") == "" {
			t.Errorf("%s: %v", path, h)
		}
	}
	for _, text := range []string{w.page("/"), w.page("/status")} {
		w.noTokenIn(text)
		if !strings.Contains(text, "system:serviceaccount:ns:caller") {
			t.Errorf("nobody is named in %.300s", text)
		}
	}
}

// Who has mended its ways is not accused for ever.
func TestFlags(t *testing.T) {
	now := time.Now()
	for _, tc := range []struct {
		name string
		c    callers.Caller
		want string
	}{
		{"never", callers.Caller{}, ""},
		{"now", callers.Caller{LateAt: now}, "late"},
		{"all of it", callers.Caller{LateAt: now, StaleAt: now.Add(-flagged + 1), LegacyAt: now}, "late legacy stale"},
		{"a while ago", callers.Caller{Late: 7, LateAt: now.Add(-flagged), StaleAt: now}, "stale"},
	} {
		if got := strings.Join(flags(&tc.c, now), " "); got != tc.want {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
}
