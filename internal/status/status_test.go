package status

import (
	"bufio"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

var now = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

const nasty = `<script>alert("x")</script>&'`

// full is a snapshot with something of everything, all of it other people's words.
func full() *Snapshot {
	return &Snapshot{
		Now: now, Version: nasty, Mode: nasty, State: Degraded, Says: nasty,
		OwnToken: &OwnToken{
			State: nasty, Issued: now.Add(-10 * time.Minute), Rotate: now.Add(38 * time.Minute), Expires: now.Add(50 * time.Minute),
			Loaded: []time.Time{now.Add(-58 * time.Minute), now.Add(-10 * time.Minute)}, Rotations: 1, Problem: nasty,
		},
		Issuers: []Issuer{
			{Name: nasty, Fetched: now.Add(-time.Minute), Problem: nasty, Keys: []Key{{ID: nasty, Algorithm: nasty, Since: now, Leaving: true}}},
			{Name: nasty, Problem: nasty},
		},
		APIServer: &APIServer{AwaySince: now.Add(-time.Minute), Why: nasty},
		Decisions: Counts{7, 8, 9}, Recent: []Slot{{now.Add(-slot), Counts{1, 2, 3}}, {now, Counts{}}},
		Refusals: Refused{
			ByReason: []ReasonCount{{nasty, 3}},
			Last:     []Refusal{{At: now, Code: 401, Reason: nasty, Subject: nasty, Peer: nasty, Path: nasty, Detail: nasty}},
		},
		Callers: []Caller{{Subject: nasty, Requests: 4, Refusals: 5, Issued: now.Add(-time.Hour), Expires: now.Add(time.Hour), Seen: now, Flags: []string{nasty}}},
		Streams: 10, InFlight: 11, Connections: 12,
	}
}

// What others wrote is text on the page, wherever it stands.
func TestPageEscapes(t *testing.T) {
	for name, s := range map[string]*Snapshot{
		"full":  full(),
		"empty": {Now: now},
		"torn":  {Now: now, OwnToken: &OwnToken{Problem: nasty}},
	} {
		text := page(s)
		if strings.Contains(text, "<script>alert") || strings.Contains(text, `alert("`) {
			t.Errorf("%s: markup of others in\n%s", name, text)
		}
		if !strings.Contains(text, "</html>") || strings.Contains(text, "NaN") {
			t.Errorf("%s: the page is not whole", name)
		}
	}
	if n := strings.Count(page(full()), "&lt;script&gt;"); n != 19 {
		t.Errorf("%d of others' texts are shown, want 19", n)
	}
}

func TestPageFigures(t *testing.T) {
	text := page(full())
	for _, want := range []string{
		`<header class="degraded">`, `<b id="accepted">7</b>`, `<b id="refused">8</b>`, `<b id="unavailable">9</b>`,
		`<dd id="streams">10</dd>`, `<dd id="inflight">11</dd>`, `<dd id="connections">12</dd>`, `<b id="rotations">1</b> time since`,
		"issued 10 m 0 s ago, the kubelet should replace it in 38 m 0 s, expires in 50 m 0 s", "away for 1 m 0 s", `<p class="why">&lt;script`,
		// The bar begins with the first rotation that is shown, 58 of 108 minutes ago.
		`<rect class="past" x="0.0" y="10" width="266.7"`, `<rect class="fresh" x="266.7" y="10" width="266.7"`,
		`<rect class="late" x="533.3"`, `<rect class="now" x="322.2"`,
		"1 accepted, 2 refused, 3 undecided",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
}

func TestRecent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var accepted atomic.Uint64
		r := NewRecent(func() Counts { return Counts{Accepted: accepted.Load()} })
		go r.Run(t.Context())
		for i := range 40 {
			accepted.Add(uint64(i))
			time.Sleep(slot)
			synctest.Wait()
		}
		accepted.Add(1000)
		all := r.Slots()
		if len(all) != slots {
			t.Fatalf("%d slots, want %d", len(all), slots)
		}
		for i, s := range all {
			want := uint64(40 - slots + 1 + i)
			if i == slots-1 {
				want = 1000
			}
			if s.Accepted != want {
				t.Errorf("slot %d has %d, want %d", i, s.Accepted, want)
			}
		}
		for i := range 50 {
			r.Refuse(Refusal{Code: i})
		}
		if last := r.Refusals(); len(last) != maxRefusals || last[0].Code != 49 || last[maxRefusals-1].Code != 50-maxRefusals {
			t.Errorf("refusals: %v", last)
		}
	})
}

func TestHandler(t *testing.T) {
	h := Handler(full)
	get := func(path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		return w
	}
	for path, media := range map[string]string{"/": "text/html", "/style.css": "text/css", "/page.js": "text/javascript", "/status": "application/json"} {
		if w := get(path); w.Code != 200 || !strings.HasPrefix(w.Header().Get("Content-Type"), media) {
			t.Errorf("%s: %d %v", path, w.Code, w.Header())
		}
	}
	if w := get("/other"); w.Code != 404 {
		t.Errorf("/other: %d", w.Code)
	}
	if csp := get("/").Header().Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") {
		t.Errorf("the policy is %q", csp)
	}
	var s Snapshot
	if err := json.Unmarshal(get("/status").Body.Bytes(), &s); err != nil || s.Callers[0].Subject != nasty || s.Decisions.Unavailable != 9 {
		t.Errorf("as JSON: %v %+v", err, s)
	}
}

// What is not known is not in the JSON: no year 1 for programs to trip over.
func TestJSONLeavesOutUnknownTimes(t *testing.T) {
	s := &Snapshot{Now: now, OwnToken: &OwnToken{}, Issuers: []Issuer{{Keys: []Key{{Since: now}}}}, APIServer: &APIServer{}, Callers: []Caller{{}}}
	text, err := json.Marshal(s)
	if err != nil || strings.Contains(string(text), "0001-01-01") {
		t.Errorf("%v\n%s", err, text)
	}
	text, err = json.Marshal(full())
	for _, name := range []string{"issued", "expires", "rotate", "fetched", "awaySince", "seen"} {
		if err != nil || !strings.Contains(string(text), `"`+name+`":"20`) {
			t.Errorf("no %s in %v\n%s", name, err, text)
		}
	}
}

// A page that is open hears of a change within a second or so, and of nothing while
// there is none; and only so many may be open.
func TestEvents(t *testing.T) {
	var says atomic.Value
	says.Store("first")
	server := httptest.NewServer(Handler(func() *Snapshot { return &Snapshot{Now: now, Says: says.Load().(string)} }))
	t.Cleanup(server.Close)
	open := func() *http.Response {
		resp, err := http.Get(server.URL + "/events")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { resp.Body.Close() })
		return resp
	}
	lines := bufio.NewScanner(open().Body)
	next := func(want string) {
		t.Helper()
		for lines.Scan() {
			if strings.Contains(lines.Text(), `id="says"`) {
				if !strings.Contains(lines.Text(), want) {
					t.Errorf("%s, want %s", lines.Text(), want)
				}
				return
			}
		}
		t.Fatal("no further event")
	}
	next("first")
	says.Store("second")
	begun := time.Now()
	next("second")
	t.Logf("told after %v", time.Since(begun))
	for range maxWatchers - 1 {
		if resp := open(); resp.StatusCode != 200 {
			t.Errorf("%d, want 200", resp.StatusCode)
		}
	}
	if resp := open(); resp.StatusCode != 503 {
		t.Errorf("one too many: %d, want 503", resp.StatusCode)
	}
}
