package proxy

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"sallyport/internal/authn"
)

// A judgeman is an Authenticator whose mind can be changed.
type judgeman struct {
	mu       sync.Mutex
	lifetime time.Duration
	standing authn.Standing
	err      error
}

// Authenticate implements authn.Authenticator.
func (j *judgeman) Authenticate(context.Context, string) (authn.Identity, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	id := alice
	id.Standing = j.standing
	id.Expires = time.Now().Add(j.lifetime)
	if j.err != nil {
		id = authn.Identity{}
	}
	return id, j.err
}

func (j *judgeman) say(err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.err = err
}

// watch returns quick Streams, which sweep.
func watch(t *testing.T, a authn.Authenticator, finish bool, ended func(End)) *Streams {
	t.Helper()
	s, err := NewStreams(StreamOptions{Authenticator: a, Recheck: time.Minute, Finish: finish, Ended: ended})
	if err != nil {
		t.Fatal(err)
	}
	s.tick, s.every, s.second, s.patience = 20*time.Millisecond, 40*time.Millisecond, 60*time.Millisecond, 200*time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return s
}

// endless is an app whose answers end when release is closed. The path says what
// it answers.
type endless struct{ release chan struct{} }

// ServeHTTP implements http.Handler.
func (a endless) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h, flush := w.Header(), http.NewResponseController(w).Flush
	switch r.URL.Path {
	case "/socket":
		a.socket(w)
		return
	case "/wait":
	case "/events":
		h.Set("Content-Type", "text/event-stream; charset=utf-8")
		io.WriteString(w, "data: x\n\n")
		flush()
	case "/grpc", "/grpc-announced":
		h.Set("Content-Type", "application/grpc+proto")
		if r.URL.Path == "/grpc-announced" {
			h.Set("Trailer", "X-One, X-Two")
		}
		w.Write([]byte("\x00\x00\x00\x00\x03abc"))
		flush()
	case "/grpc-half":
		h.Set("Content-Type", "application/grpc")
		w.Write([]byte("\x00\x00\x00\x00\x03ab"))
		flush()
	case "/grpc-web":
		h.Set("Content-Type", "application/grpc-web")
		w.Write([]byte("\x00\x00\x00\x00\x03abc"))
		flush()
	case "/length":
		h.Set("Content-Length", "100")
		io.WriteString(w, "x")
		flush()
	default:
		io.WriteString(w, "x")
		flush()
	}
	select {
	case <-a.release:
	case <-r.Context().Done():
	}
}

func (a endless) socket(w http.ResponseWriter) {
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x03abc")
	rw.Flush()
	gone := make(chan struct{})
	go func() { defer close(gone); io.Copy(io.Discard, rw) }()
	select {
	case <-a.release:
	case <-gone:
	}
}

// visit opens path and calls opened once the answer has begun. It returns how it
// ended for the caller.
func (r *rig) visit(t *testing.T, version, path string, opened func()) string {
	if path == "/socket" {
		return r.visitSocket(t, opened)
	}
	client := &http.Client{Transport: &http.Transport{}}
	if version == "HTTP/2" {
		client, _ = h2(t)
	}
	defer client.CloseIdleConnections()
	req := r.request(t, "POST", strings.TrimSuffix(path, "?grpc"), nil)
	if strings.Contains(path, "grpc") {
		req.Header.Set("Content-Type", "application/grpc")
		req.Header.Set("Te", "trailers")
	}
	if strings.HasPrefix(path, "/wait") {
		go func() {
			// Before the app has it, its token may not have been looked at.
			r.until(t, "under way", func() bool { return r.asked.Load() > 0 })
			opened()
		}()
	}
	res, err := client.Do(req)
	if err != nil {
		return "failed: " + err.Error()
	}
	defer res.Body.Close()
	if res.StatusCode != 200 {
		return fmt.Sprint(res.StatusCode, " ", res.Header.Get("WWW-Authenticate"))
	}
	if _, err := io.ReadFull(res.Body, make([]byte, 1)); err == nil {
		opened()
	}
	_, err = io.Copy(io.Discard, res.Body)
	switch status := res.Trailer.Get("Grpc-Status"); {
	case err != nil:
		return "cut"
	case status != "":
		return "status " + status + " " + res.Trailer.Get("Grpc-Message")
	}
	return "finished"
}

func (r *rig) visitSocket(t *testing.T, opened func()) string {
	conn, br := r.dial(t, get("/socket", upgradeRequest))
	defer conn.Close()
	if res, err := http.ReadResponse(br, nil); err != nil || res.StatusCode != 101 {
		return fmt.Sprint(res, err)
	}
	for {
		op, payload, err := readFrame(br)
		switch {
		case err != nil:
			return "cut"
		case op == 1:
			opened()
		case op == 8:
			// A peer that goes on talking must not lose the close frame, nor
			// keep the connection.
			conn.Write([]byte("\x88\x82\x00\x00\x00\x00\x03\xe8"))
			if _, err := br.ReadByte(); err != io.EOF {
				return fmt.Sprint("after the close frame: ", err)
			}
			return fmt.Sprint(binary.BigEndian.Uint16(payload), " ", string(payload[2:]))
		}
	}
}

func readFrame(br *bufio.Reader) (op byte, payload []byte, err error) {
	var head [2]byte
	if _, err = io.ReadFull(br, head[:]); err != nil {
		return 0, nil, err
	}
	payload = make([]byte, head[1])
	_, err = io.ReadFull(br, payload)
	return head[0] & 15, payload, err
}

// until waits, at most 10 s.
func (r *rig) until(t *testing.T, what string, so func() bool) {
	t.Helper()
	for range 2000 {
		if so() {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Errorf("not %s", what)
}

const (
	gone401   = `401 Bearer realm="sallyport", error="invalid_token", error_description="the token was not accepted"`
	expiry401 = `401 Bearer realm="sallyport", error="invalid_token", error_description="the token has expired"`
)

// Each kind of answer ends as its protocol allows, with its credential or not.
func TestStreamEnds(t *testing.T) {
	t.Parallel()
	var all sync.WaitGroup // at once: they mostly wait
	defer all.Wait()
	for _, tc := range []struct{ version, path, expired, revoked string }{
		{"HTTP/1.1", "/socket", "1008 the credential has expired", "1008 the credential was revoked"},
		{"HTTP/1.1", "/events", "cut", "cut"},
		{"HTTP/2", "/events", "cut", "cut"},
		{"HTTP/2", "/grpc", "status 16 the credential has expired", "status 16 the credential was revoked"},
		{"HTTP/2", "/grpc-announced", "status 16 ", "status 16 "},
		{"HTTP/2", "/grpc-half", "cut", "cut"},
		{"HTTP/2", "/grpc-web", "cut", "cut"},
		{"HTTP/1.1", "/grpc", "cut", "cut"},
		{"HTTP/1.1", "/download", "finished", "cut"},
		{"HTTP/2", "/download", "finished", "cut"},
		{"HTTP/1.1", "/length", "cut", "cut"}, // the app's own end is one, too
		{"HTTP/1.1", "/wait", "finished", gone401},
		{"HTTP/2", "/wait", "finished", gone401},
		{"HTTP/2", "/wait?grpc", expiry401, gone401},
	} {
		for _, how := range []string{"expired", "revoked", "finish"} {
			all.Go(func() {
				want := map[string]string{"expired": tc.expired, "revoked": tc.revoked, "finish": "finished"}[how]
				if how == "finish" && (tc.path == "/socket" || tc.path == "/length") {
					want = "cut" // the app hangs up, without a word
				}
				testStreamEnd(t, tc.version, tc.path, how, want)
			})
		}
	}
}

func testStreamEnd(t *testing.T, version, path, how, want string) {
	name := version + path + " " + how
	j := &judgeman{lifetime: time.Hour, standing: authn.Confirmed}
	if how != "revoked" {
		j.lifetime = 3 * time.Second // all are to be open by then, on a slow machine too
	}
	ends := make(chan End, 8)
	app := endless{make(chan struct{})}
	s := watch(t, j, how == "finish", func(e End) { ends <- e })
	r := gate(t, app.ServeHTTP, Options{Authenticator: j, Streams: s})
	if strings.HasSuffix(path, "announced") || strings.HasSuffix(path, "half") {
		r = gateTo(t, UpstreamOptions{URL: mustURL(t, "h2c://"+r.app)}, Options{Authenticator: j, Streams: s})
	}
	ended := want != "finished" && how != "finish" && (path != "/length" || how == "revoked")
	got := r.visit(t, version, path, func() {
		if how == "revoked" {
			j.say(authn.Refuse(authn.Revoked, "pod deleted"))
		}
		// Long after the end of the credential the app ends by itself. Where it is the
		// gate that ends it, this is for a gate that does not.
		after := 5 * time.Second
		if ended {
			after = 20 * time.Second
		}
		time.AfterFunc(after, func() { close(app.release) })
	})
	if got != want {
		t.Errorf("%s: %q, want %q", name, got, want)
	}
	o := r.last(t, 1)
	switch {
	case !ended && (len(ends) > 0 || o.code/100 != 2 && o.code != 101):
		t.Errorf("%s: it went on to its end: %v, %d ended", name, o, len(ends))
	case ended && o.reason != authn.Reason(how):
		t.Errorf("%s: counted %v", name, o)
	case ended:
		if e := <-ends; e != End(how) {
			t.Errorf("%s: ended: %v", name, e)
		}
		lines := r.logs.FilterMessage("request").All()
		m := lines[0].ContextMap()
		if len(lines) != 1 || lines[0].Level.String() != "info" || m["subject"] != alice.Subject || m["path"] == nil || m["took"] == nil {
			t.Errorf("%s: log: %v %v", name, lines, m)
		}
	}
	if s.oldest != nil || s.newest != nil {
		t.Error(name, "is still watched")
	}
	noSecret(t, r, got)
}

// A caller that does not read, of an app that never stops, is cut as well.
func TestSlowReaderIsCut(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/events", "/socket", "/grpc"} {
		j := &judgeman{lifetime: time.Second}
		s := watch(t, j, false, nil)
		r := gate(t, func(w http.ResponseWriter, r *http.Request) {
			var out io.Writer = w
			if r.URL.Path == "/socket" {
				conn, _, err := http.NewResponseController(w).Hijack()
				if err != nil {
					return
				}
				defer conn.Close()
				io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
				out = conn
			}
			w.Header().Set("Content-Type", map[string]string{"/events": "text/event-stream", "/grpc": "application/grpc"}[r.URL.Path])
			for err := error(nil); err == nil; {
				_, err = out.Write(append([]byte{0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0}, make([]byte, 1<<16)...))
			}
		}, Options{Authenticator: j, Streams: s})
		if path == "/grpc" {
			client, _ := h2(t)
			do(t, client, r.request(t, "POST", path, nil))
		} else {
			conn, _ := r.dial(t, get(path, map[bool]string{true: upgradeRequest, false: "Accept: */*"}[path == "/socket"]))
			conn.SetDeadline(time.Time{})
		}
		if o := r.last(t, 1); o.reason != authn.Expired {
			t.Errorf("%s: %v", path, o)
		}
	}
}
