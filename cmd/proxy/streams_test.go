package main

import (
	"bufio"
	"cmp"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"

	"sallyport/internal/minicluster"
)

// streaming answers without an end: the path says what. The root alone has one.
func streaming(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/" {
		return
	}
	if r.URL.Path == "/socket" {
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x01x")
		io.Copy(io.Discard, rw)
		return
	}
	w.Header().Set("Content-Type", map[string]string{"/events": "text/event-stream", "/grpc": "application/grpc"}[r.URL.Path])
	if r.URL.Path != "/wait" {
		io.WriteString(w, "\x00\x00\x00\x00\x01x")
		http.NewResponseController(w).Flush()
	}
	<-r.Context().Done()
}

// A stream is one request under way.
type stream struct{ ended chan end }

// An end is what the caller saw of it, and when.
type end struct {
	how string
	at  time.Time
}

// openAll opens one of each.
func (w *world) openAll(token string) map[string]*stream {
	all := map[string]*stream{}
	for _, path := range []string{"/socket", "/events", "/grpc", "/download", "/wait"} {
		all[path] = w.open(path, token)
	}
	return all
}

// open opens a stream, and returns when the app has answered it, or has it.
func (w *world) open(path, token string) *stream {
	w.t.Helper()
	s := &stream{ended: make(chan end, 1)}
	opened := make(chan struct{}, 1)
	if path == "/wait" {
		w.handler.Store(&handler{http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if r.URL.Path == path {
				opened <- struct{}{}
			}
			streaming(rw, r)
		})})
	}
	go func() {
		how := ""
		if path == "/socket" {
			how = w.socket(token, opened)
		} else {
			how = w.stream(path, token, opened)
		}
		s.ended <- end{how, time.Now()}
	}()
	select {
	case <-opened:
	case got := <-s.ended:
		w.t.Fatalf("%s: %s", path, got.how)
	}
	return s
}

func (w *world) stream(path, token string, opened chan<- struct{}) string {
	secure := w.gate.certificate != nil
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, Protocols: new(http.Protocols)}
	transport.Protocols.SetHTTP1(path != "/grpc")
	transport.Protocols.SetUnencryptedHTTP2(path == "/grpc" && !secure)
	transport.Protocols.SetHTTP2(path == "/grpc" && secure)
	scheme := map[bool]string{false: "http://", true: "https://"}[secure]
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(w.t.Context(), "GET", scheme+w.gate.data.addr()+path, nil)
	if err != nil {
		return err.Error()
	}
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := transport.RoundTrip(req)
	if err != nil {
		return err.Error()
	}
	defer res.Body.Close()
	if res.StatusCode != 200 {
		return fmt.Sprint(res.StatusCode)
	}
	opened <- struct{}{}
	_, err = io.Copy(io.Discard, res.Body)
	switch {
	case err != nil:
		return "cut"
	case res.Trailer.Get("Grpc-Status") != "":
		return "status " + res.Trailer.Get("Grpc-Status")
	}
	return "finished"
}

func (w *world) socket(token string, opened chan<- struct{}) string {
	conn, err := w.dial()
	if err != nil {
		return err.Error()
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET /socket HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n", token)
	br := bufio.NewReader(conn)
	res, err := http.ReadResponse(br, nil)
	if err != nil {
		return err.Error()
	}
	if res.StatusCode != 101 {
		return fmt.Sprint(res.StatusCode)
	}
	opened <- struct{}{}
	all, err := io.ReadAll(br)
	text, ok := strings.CutPrefix(string(all), "\x81\x01x\x88")
	if !ok || err != nil || len(text) < 3 {
		return fmt.Sprintf("cut after %q: %v", all, err)
	}
	return fmt.Sprint(int(text[1])<<8|int(text[2]), " ", text[3:])
}

func (w *world) dial() (net.Conn, error) {
	if w.gate.certificate != nil {
		return tls.Dial("tcp", w.gate.data.addr(), &tls.Config{InsecureSkipVerify: true})
	}
	return net.Dial("tcp", w.gate.data.addr())
}

// wants waits, at most 20 s, for the stream's end, and returns when that was.
func (s *stream) wants(t *testing.T, what, want string) time.Time {
	t.Helper()
	select {
	case got := <-s.ended:
		if got.how != want {
			t.Errorf("%s: %q, want %q", what, got.how, want)
		}
		return got.at
	case <-time.After(20 * time.Second):
		t.Errorf("%s goes on", what)
	}
	return time.Now()
}

func (s *stream) goesOn(t *testing.T, what string) {
	t.Helper()
	select {
	case got := <-s.ended:
		t.Errorf("%s has ended: %s", what, got.how)
	default:
	}
}

func startStreams(t *testing.T, args ...string) *world {
	w := start(t, append([]string{"--recheck=1s", "--shutdown-grace=100ms"}, args...)...)
	w.handler.Store(&handler{http.HandlerFunc(streaming)})
	return w
}

func (w *world) brief(ttl time.Duration) string {
	w.t.Helper()
	token, err := w.cluster.Token(minicluster.Request{Namespace: "ns", ServiceAccount: "caller", Pod: "caller-0", Audiences: []string{audience}, TTL: ttl})
	must(w.t, err)
	return token
}

// Streams end when their token expires, other answers do not; and none where the
// operator wants it so.
func TestStreamsExpire(t *testing.T) {
	t.Parallel()
	closing := startStreams(t, append(certified(t, time.Hour), "--leeway=0s")...)
	finishing := startStreams(t, "--leeway=0s", "--on-credential-end=finish")
	const life = 5 * time.Second // all are open by then, on a busy machine too
	token, expires := closing.brief(life), time.Now().Add(life)
	ended, left := closing.openAll(token), finishing.openAll(finishing.brief(time.Until(expires)))
	for path, want := range map[string]string{"/socket": "1008 the credential has expired", "/events": "cut", "/grpc": "status 16"} {
		if at := ended[path].wants(t, path, want); at.Sub(expires) < -time.Second || at.Sub(expires) > 3*time.Second {
			t.Errorf("%s ended %v after its token", path, at.Sub(expires))
		}
	}
	closing.eventually("counted", func() bool { return closing.metric(`sallyport_streams_ended_total{reason="expired"}`) == "3" })
	finishing.eventually("long over", func() bool { return time.Since(expires) > 2*time.Second })
	for path, s := range left {
		s.goesOn(t, path)
	}
	for _, path := range []string{"/download", "/wait"} {
		ended[path].goesOn(t, path)
	}
	must(t, finishing.stop())
	must(t, closing.stop())
	left["/socket"].wants(t, "WebSocket at the end", "1001 the server is shutting down")
	left["/download"].wants(t, "download at the end", "cut")
	closing.noTokenIn(closing.log.String())
}

// The worlds wait at the same time: a second look is six seconds away.
func TestStreamsRevoked(t *testing.T) {
	t.Parallel()
	for _, finish := range []func(){
		revoked(t, "hybrid"), revoked(t, "tokenreview"), takenBack(t), outage(t),
	} {
		finish()
	}
}

// revoked: everything ends when its pod is deleted, and many streams of one token
// cost the API server what one caller does.
func revoked(t *testing.T, mode string) (finish func()) {
	w := startStreams(t, "--mode="+mode)
	token := w.token()
	before, begun := w.cluster.Counts().Reviews, time.Now()
	streams := w.openAll(token)
	for i := range 50 {
		streams[fmt.Sprint("/events", i)] = w.open("/events", token)
	}
	w.cluster.DeletePod("ns", "caller-0", 0)
	deleted := time.Now()
	want := map[string]string{"/socket": "1008 the credential was revoked", "/grpc": "status 16", "/wait": "401"}
	return func() {
		var last time.Time
		for path, s := range streams {
			last = s.wants(t, path, cmp.Or(want[path], "cut"))
			// recheck, a look, the second look, a sweep; and two busy cores.
			if took := last.Sub(deleted); took < 6*time.Second || took > 14*time.Second {
				t.Errorf("%s ended %v after the deletion, want some 9 s", path, took)
			}
		}
		// A recheck comes after 0.64 s at the earliest, but for the first.
		most := int(last.Sub(begun)/(640*time.Millisecond)) + 3
		if n := w.cluster.Counts().Reviews - before; n < 3 || n > most {
			t.Errorf("%d reviews in %v, want %d at most", n, last.Sub(begun), most)
		}
		w.eventually("counted", func() bool { return w.metric(`sallyport_streams_ended_total{reason="revoked"}`) == "55" })
		if !strings.Contains(w.log.String(), `"took":"`) {
			t.Errorf("the log does not say how long they took:\n%s", w.log.tail())
		}
		w.noTokenIn(w.log.String())
	}
}

// takenBack: a no that the API server takes back refuses a request, and ends no
// stream.
func takenBack(t *testing.T) (finish func()) {
	w := startStreams(t)
	token := w.token()
	socket := w.open("/socket", token)
	w.cluster.Fail(minicluster.Reviews, minicluster.Fault{Review: func(s *authenticationv1.TokenReviewStatus) {
		*s = authenticationv1.TokenReviewStatus{Error: "etcd does not answer"}
	}})
	w.eventually("refused", func() bool { return w.get(token).code == 401 })
	w.cluster.Heal()
	return func() {
		w.eventually("accepted", func() bool { return w.get(token).code == 200 }) // the refusal is forgotten
		until := time.Now().Add(3 * time.Second)
		w.eventually("looked at again", func() bool { return time.Now().After(until) })
		socket.goesOn(t, "a WebSocket")
	}
}

// outage: it ends nothing, however long after --max-stale and whatever new
// requests get; a deletion that shows afterwards does.
func outage(t *testing.T) (finish func()) {
	w := startStreams(t, "--max-stale=1s")
	token := w.token()
	socket := w.open("/socket", token)
	w.server.Stop()
	w.eventually("unavailable", func() bool { return w.get(token).code == 503 })
	until := time.Now().Add(2 * time.Second)
	w.eventually("looked at for a while", func() bool { return time.Now().After(until) })
	socket.goesOn(t, "a WebSocket")
	w.cluster.DeletePod("ns", "caller-0", 0)
	must(t, w.server.Start())
	return func() { socket.wants(t, "WebSocket", "1008 the credential was revoked") }
}
