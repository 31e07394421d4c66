package proxy

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net/http"
	"testing"
	"time"

	"sallyport/internal/authn"
)

// However the bytes are cut, boundaries are found where they are.
func TestFrames(t *testing.T) {
	sized := func(head string, n int) []byte { return append([]byte(head), make([]byte, n)...) }
	for name, tc := range map[string]struct {
		need func([]byte) (int, uint64, bool)
		list [][]byte
	}{
		"WebSocket": {socketHead, [][]byte{
			{0x81, 0}, sized("\x81\x03", 3), sized("\x02\x7d", 125), sized("\x80\x7e\x00\x7e", 126), sized("\x82\x7e\xff\xff", 0xffff),
			sized("\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00", 1<<16), sized("\x89\x04", 4), {0x88, 0},
		}},
		"gRPC": {grpcHead, [][]byte{sized("\x00\x00\x00\x00\x00", 0), sized("\x01\x00\x00\x00\x07", 7), sized("\x00\x00\x01\x00\x00", 1<<16), sized("\x00\x00\x00\x00\x01", 1)}},
	} {
		ends := map[int]bool{0: true}
		var all []byte
		for _, f := range tc.list {
			all = append(all, f...)
			ends[len(all)] = true
		}
		for most := range 40 {
			f := frames{need: tc.need}
			for at := 0; at < len(all); {
				n := min(1+rand.IntN(1<<(most/2)), len(all)-at)
				f.pass(all[at : at+n])
				if at += n; f.boundary() != ends[at] {
					t.Fatalf("%s: at byte %d boundary is %v", name, at, f.boundary())
				}
			}
			// And next stops at each of them.
			f = frames{need: tc.need}
			for at, i := 0, 0; at < len(all); i++ {
				if n := f.next(all[at:]); n != len(tc.list[i]) {
					t.Fatalf("%s: frame %d has %d bytes, want %d", name, i, n, len(tc.list[i]))
				}
				at += len(tc.list[i])
			}
		}
	}
	for _, bad := range []string{"\x81\x83abcdxyz", "\x82\x7f\xff\x00\x00\x00\x00\x00\x00\x00"} {
		f := frames{need: socketHead}
		if f.pass([]byte(bad + "\x81\x00")); f.boundary() {
			t.Errorf("%q are frames", bad)
		}
	}
}

// The app is in the middle of a frame when the credential ends: the caller gets
// the rest of the frame, the close frame, and nothing more; the app gets nothing
// more either.
func TestCloseFrameWaitsForBoundary(t *testing.T) {
	t.Parallel()
	j := &judgeman{lifetime: time.Hour, standing: authn.Confirmed}
	s := watch(t, j, false, nil)
	s.patience = 5 * time.Second
	heard := make(chan string, 1)
	more := make(chan struct{})
	r := gate(t, func(w http.ResponseWriter, r *http.Request) {
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n\x82\x06abc")
		<-more
		io.WriteString(conn, "def\x82\x06ghi")
		io.WriteString(conn, "jkl")
		b, _ := io.ReadAll(rw)
		heard <- string(b)
	}, Options{Authenticator: j, Streams: s})
	conn, br := r.dial(t, get("/", upgradeRequest))
	if res, err := http.ReadResponse(br, nil); err != nil || res.StatusCode != 101 {
		t.Fatal(res, err)
	}
	first := make([]byte, 5)
	if _, err := io.ReadFull(br, first); err != nil {
		t.Fatal(err)
	}
	j.say(authn.Refuse(authn.Revoked, ""))
	s.mu.Lock()
	x := s.oldest
	s.mu.Unlock()
	r.until(t, "ending", func() bool { return x.flight.ending.Load() != nil })
	for range 100 { // a caller that goes on talking
		io.WriteString(conn, "\x81\x85\x00\x00\x00\x00hello")
	}
	close(more)
	rest, err := io.ReadAll(br)
	want := append([]byte("def\x88\x1c\x03\xf0"), "the credential was revoked"...)
	if err != nil || !bytes.Equal(rest, want) {
		t.Errorf("%q %v, want %q", rest, err, want)
	}
	conn.Close()
	if got := <-heard; got != "" {
		t.Errorf("the app heard %q after the end", got)
	}
	if o := r.last(t, 1); o != (outcome{101, authn.Revoked}) {
		t.Errorf("counted %v", o)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if x.flight.token != "" || s.oldest != nil || len(s.queue) > 0 {
		t.Error("the token is kept longer than the request")
	}
}

// GoAway closes upgraded connections alone, also those of public paths and with
// Finish, and cuts the one that is in the middle of a frame.
func TestGoAway(t *testing.T) {
	t.Parallel()
	s := watch(t, admitSecret, true, nil)
	app := endless{make(chan struct{})}
	r := gate(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/half" {
			app.ServeHTTP(w, r)
			return
		}
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x05abc")
		<-app.release
	}, Options{Streams: s, Routes: []Route{{Path: "/socket", Public: true}}})
	results := make(chan string, 3)
	opened := make(chan struct{}, 3)
	note := func() { opened <- struct{}{} }
	for range 2 {
		go func() { results <- r.visit(t, "HTTP/1.1", "/socket", note) }()
	}
	_, half := r.dial(t, get("/half", upgradeRequest))
	if res, err := http.ReadResponse(half, nil); err != nil || res.StatusCode != 101 {
		t.Fatal(res, err)
	}
	// Until it has come, the gate is not in its middle.
	if _, err := half.Discard(len("\x81\x05abc")); err != nil {
		t.Fatal(err)
	}
	halfEnd := make(chan error, 1)
	go func() {
		_, err := half.ReadByte()
		halfEnd <- err
	}()
	events := make(chan string, 1)
	go func() { events <- r.visit(t, "HTTP/1.1", "/events", note) }()
	for range 3 {
		<-opened
	}
	s.mu.Lock()
	watched := 0
	for x := s.oldest; x != nil; x = x.flight.next {
		watched++
	}
	s.mu.Unlock()
	if watched != 3 {
		t.Errorf("%d are watched, want the upgraded ones alone", watched)
	}
	begun := time.Now()
	s.GoAway()
	if took := time.Since(begun); took > farewell+2*time.Second {
		t.Errorf("it took %v", took)
	}
	for range 2 {
		if got := <-results; got != "1001 the server is shutting down" {
			t.Errorf("%q", got)
		}
	}
	if err := <-halfEnd; err == nil {
		t.Error("the one in the middle of a frame goes on")
	}
	if len(events) > 0 {
		t.Error("an event stream was ended: that is the server's part")
	}
	close(app.release)
	if got := <-events; got != "finished" {
		t.Errorf("%q", got)
	}
}
