package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sallyport/internal/connlimit"
	"sallyport/internal/inflight"
	"sallyport/internal/minicluster"
)

// from returns a client that calls from an address of loopback, each request on a
// connection of its own.
func from(addr string) *http.Client {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(addr)}}
	return &http.Client{Transport: &http.Transport{DialContext: d.DialContext, DisableKeepAlives: true}}
}

// try calls the gate from an address. The path begins with a slash.
func (w *world) try(addr, path, token string) answer {
	return w.tryAt(w.gate.data.addr(), addr, path, token)
}

func (w *world) tryAt(gate, addr, path, token string) answer {
	ctx, cancel := context.WithTimeout(w.t.Context(), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+gate+path, nil)
	if err != nil {
		return answer{body: err.Error()}
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := from(addr).Do(req)
	if err != nil {
		return answer{body: err.Error()}
	}
	defer resp.Body.Close()
	return answer{code: resp.StatusCode, header: resp.Header}
}

// hangers makes the app's answers to paths that end in /hang wait, until release
// is called. There are so many as hung says.
func (w *world) hangers() (hung *atomic.Int64, release func()) {
	held := make(chan struct{})
	hung = new(atomic.Int64)
	w.handler.Store(&handler{http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/hang") {
			hung.Add(1)
			defer hung.Add(-1)
			select {
			case <-held:
			case <-r.Context().Done():
			}
		}
	})})
	release = sync.OnceFunc(func() { close(held) })
	w.t.Cleanup(release)
	return hung, release
}

// hang makes n requests that hang, and waits until they do. Each must be answered
// with 200 in the end.
func (w *world) hang(wg *sync.WaitGroup, hung *atomic.Int64, n int, addr, path, token string) {
	w.t.Helper()
	want := hung.Load() + int64(n)
	for range n {
		wg.Go(func() {
			if a := w.try(addr, path, token); a.code != 200 {
				w.t.Errorf("%s from %s: %d %s, want 200 in the end", path, addr, a.code, a.body)
			}
		})
	}
	w.eventually(fmt.Sprint(n, " more under way"), func() bool { return hung.Load() == want })
}

func (w *world) wantOverload(addr, path, token string) {
	w.t.Helper()
	a := w.try(addr, path, token)
	if a.code != 503 || a.header.Get("Retry-After") != "1" || a.header.Get("Www-Authenticate") != "" {
		w.t.Errorf("%s from %s: %d %v %s, want 503, Retry-After and no challenge", path, addr, a.code, a.header, a.body)
	}
}

func (w *world) wantFrom(addr, path, token string) {
	w.t.Helper()
	if a := w.try(addr, path, token); a.code != 200 {
		w.t.Errorf("%s from %s: %d %s", path, addr, a.code, a.body)
	}
}

// other issues a token of another service account's.
func (w *world) other() string {
	w.t.Helper()
	w.cluster.CreateServiceAccount("ns", "other")
	w.cluster.CreatePod("ns", "other-0", "other", "")
	token, err := w.cluster.Token(minicluster.Request{Namespace: "ns", ServiceAccount: "other", Pod: "other-0", Audiences: []string{audience}})
	must(w.t, err)
	return token
}

// 32 places: 24 for good tokens, 8 of them for one caller; 8 for public paths, 4 of
// them for one address. Beside them 16 wait for a decision, 8 of one address.
func TestRequestsUnderWay(t *testing.T) {
	t.Parallel()
	w := start(t, "--max-in-flight=32", "--public-path=/public/*")
	hung, release := w.hangers()
	var wg sync.WaitGroup
	token, other := w.token(), w.other()
	w.hang(&wg, hung, 8, "127.0.0.2", "/hang", token)
	w.wantOverload("127.0.0.2", "/", token)
	w.wantOverload("127.0.0.1", "/", w.token()) // another token, the same caller
	w.wantFrom("127.0.0.2", "/", other)
	w.hang(&wg, hung, 4, "127.0.0.2", "/public/hang", "")
	w.wantOverload("127.0.0.2", "/public/ready", "")
	w.wantFrom("127.0.0.1", "/public/ready", "") // a kubelet's probe
	w.wantFrom("127.0.0.1", "/", other)
	for kind, n := range map[string]string{"admitted": "2", "public": "1", "examining": "0"} {
		if got := w.metric(`sallyport_requests_refused_total{kind="` + kind + `"}`); got != n {
			t.Errorf("%s refused %s, want %s", kind, got, n)
		}
	}
	for route, n := range map[string]string{"default": "2", "/public/*": "1"} {
		if got := w.metric(`sallyport_requests_total{code="503",reason="overload",route="` + route + `"}`); got != n {
			t.Errorf("%s requests on route %s have the reason overload, want %s", got, route, n)
		}
	}
	release()
	wg.Wait()
	w.wantFrom("127.0.0.2", "/", token)
	w.wantFrom("127.0.0.2", "/public/ready", "")
	for _, want := range []string{
		`"kind":"admitted","count":1,"last_caller":"system:serviceaccount:ns:caller"`,
		`"kind":"public","count":1,"last_caller":"127.0.0.2"`,
	} {
		if strings.Count(w.log.String(), want) != 1 {
			t.Errorf("the log says not once: %s", want)
		}
	}
}

// Decisions that wait for the API server keep nobody out but their own address.
func TestHangingDecisions(t *testing.T) {
	t.Parallel()
	// Away is what the API server counts as after 3 s, and then nobody waits.
	w := start(t, "--max-in-flight=32", "--public-path=/public/*", "--mode=tokenreview", "--recheck=1h")
	known := w.token()
	w.want(200, known)
	var fresh []string // to sign them takes some of the time
	for range 8 + 1 {
		fresh = append(fresh, w.token())
	}
	w.cluster.Fail(minicluster.All, minicluster.Fault{Hang: true})
	defer w.cluster.Heal()
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for _, token := range fresh[1:] {
		wg.Go(func() {
			req, _ := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+w.gate.data.addr()+"/", nil)
			req.Header.Set("Authorization", "Bearer "+token)
			if resp, err := from("127.0.0.2").Do(req); err == nil {
				resp.Body.Close()
			}
		})
	}
	w.eventually("hanging", func() bool { return w.metric("sallyport_in_flight_requests") == "8" })
	w.wantOverload("127.0.0.2", "/", fresh[0])
	w.wantFrom("127.0.0.2", "/", known)
	w.wantFrom("127.0.0.2", "/public/ready", "")
}

// An upgraded connection is a request under way, until it is closed.
func TestWebSocketsAreUnderWay(t *testing.T) {
	t.Parallel()
	w := start(t, "--max-in-flight-per-caller=1")
	w.handler.Store(&handler{http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") == "" {
			return
		}
		rw.Header().Set("Connection", "Upgrade")
		rw.Header().Set("Upgrade", "websocket")
		rw.WriteHeader(http.StatusSwitchingProtocols)
		c, _, err := http.NewResponseController(rw).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		c.Read(make([]byte, 1))
	})})
	token := w.token()
	c, err := net.Dial("tcp", w.gate.data.addr())
	must(t, err)
	defer c.Close()
	fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n", token)
	must(t, c.SetReadDeadline(time.Now().Add(10*time.Second)))
	status := make([]byte, 12)
	if _, err := io.ReadFull(c, status); err != nil || string(status) != "HTTP/1.1 101" {
		t.Fatalf("%q %v", status, err)
	}
	w.wantOverload("127.0.0.1", "/", token)
	// That of the refused request has to end first.
	w.eventually("one connection", func() bool { return w.metric("sallyport_connections") == "1" })
	c.Close()
	w.eventually("free", func() bool { return w.try("127.0.0.1", "/", token).code == 200 })
}

// Probes are answered while somebody holds connections to their listener.
func TestSlowLorisOnProbes(t *testing.T) {
	t.Parallel()
	w := start(t)
	s := attack(t, "127.0.0.2", w.gate.admin.addr(), 200, 10*time.Second, slowHeader)
	w.eventually("full", func() bool { return s.opened.Load() >= 200 && s.lost.Load() > 100 })
	client := from("127.0.0.1")
	for range 10 {
		resp, err := client.Get("http://" + w.gate.admin.addr() + "/readyz")
		must(t, err)
		resp.Body.Close()
		if resp.StatusCode != 200 {
			t.Errorf("/readyz: %d", resp.StatusCode)
		}
	}
}

// When no file can be opened any more, the gate says so and goes on: who waits for
// nothing makes room for others, long before their time is up.
func TestFilesRunOut(t *testing.T) {
	t.Parallel()
	w := around(t)
	p := startChild(w, processLimits{Files: 64}, w.flags(w.dir, []string{"--read-header-timeout=5m"}))
	if text := p.log.String(); !strings.Contains(text, `"may_be_open":64,"needed":2432`) {
		t.Errorf("no warning at start: %s", text)
	}
	token := w.token()
	s := attack(t, "127.0.0.2", p.data, 150, time.Second, "")
	w.eventually("said", func() bool {
		return strings.Contains(p.log.String(), "cannot take new connections") && strings.Contains(p.log.String(), "too many open files")
	})
	// There may be no file left for a connection to the app.
	if a := w.tryAt(p.data, "127.0.0.1", "/", token); a.code == 0 {
		t.Errorf("no answer while they last: %s", a.body)
	}
	s.stop()
	w.eventually("as before", func() bool { return w.tryAt(p.data, "127.0.0.1", "/", token).code == 200 })
}

// Whatever a limit says, there is a line of the log for it.
func TestEveryLimitHasItsLine(t *testing.T) {
	t.Parallel()
	w := start(t)
	connections, requests := w.gate.limits.tallyConnections("x"), w.gate.limits.tallyRequests()
	for _, c := range connlimit.Causes {
		connections(c, netip.Addr{})
	}
	for k := range inflight.Kinds {
		requests(inflight.Kind(k), inflight.Caller{})
	}
	if n := strings.Count(w.log.String(), `"level":"warn"`); n != len(connlimit.Causes)+len(inflight.Kinds) {
		t.Errorf("%d lines:\n%s", n, w.log)
	}
}
