package main

import (
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
)

// listening serves h on a loopback port and on a unix socket.
func listening(t *testing.T, h http.HandlerFunc) (addresses []string) {
	t.Helper()
	socket, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	tcp := httptest.NewServer(h)
	t.Cleanup(tcp.Close)
	unix := httptest.NewUnstartedServer(h)
	unix.Listener.Close()
	unix.Listener = socket
	unix.Start()
	t.Cleanup(unix.Close)
	return []string{tcp.Listener.Addr().String(), "unix://" + socket.Addr().String()}
}

func TestDrain(t *testing.T) {
	var got []string
	for _, address := range listening(t, func(w http.ResponseWriter, r *http.Request) {
		got = append(got, r.Method+" "+r.URL.Path+" "+r.Host)
		w.WriteHeader(http.StatusNoContent)
	}) {
		got = nil
		code, out, errs := call(t, commands, "drain --debug-listen "+address)
		if code != 0 || out != "" || errs != "" {
			t.Errorf("%s: exit %d %s%s", address, code, out, errs)
		}
		host := address
		if strings.HasPrefix(address, "unix:") {
			host = "localhost"
		}
		if want := "POST /drain " + host; len(got) != 1 || got[0] != want {
			t.Errorf("%s: asked %q, want %q", address, got, want)
		}
	}
}

// TestDrainWaits: the command is over when the answer is there, and not before.
func TestDrainWaits(t *testing.T) {
	asked, answer := make(chan struct{}), make(chan struct{})
	addresses := listening(t, func(http.ResponseWriter, *http.Request) { asked <- struct{}{}; <-answer })
	done := make(chan int)
	go func() {
		code, _, _ := call(t, commands, "drain --debug-listen "+addresses[0])
		done <- code
	}()
	<-asked
	select {
	case <-done:
		t.Error("it did not wait for the answer")
	default:
	}
	close(answer)
	if code := <-done; code != 0 {
		t.Errorf("exit %d", code)
	}
}

func TestDrainGivesUp(t *testing.T) {
	for _, address := range listening(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }) {
		code, _, errs := call(t, commands, "drain --timeout=50ms --debug-listen "+address)
		if code != 1 || !strings.Contains(errs, "has not answered in time") {
			t.Errorf("%s: exit %d %s", address, code, errs)
		}
	}
}

// TestDrainMeetsSomethingElse: whatever listens there, only a yes is a yes.
func TestDrainMeetsSomethingElse(t *testing.T) {
	for status, want := range map[int]string{
		http.StatusNotFound:            "answered 404 Not Found",
		http.StatusForbidden:           "answered 403 Forbidden",
		http.StatusFound:               "answered 302 Found",
		http.StatusInternalServerError: "answered 500",
	} {
		followed := false
		address := listening(t, func(w http.ResponseWriter, r *http.Request) {
			followed = followed || r.URL.Path != "/drain"
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(status)
		})[0]
		code, _, errs := call(t, commands, "drain --debug-listen "+address)
		if code != 1 || !strings.Contains(errs, want) || followed {
			t.Errorf("%d: exit %d %s, followed %v", status, code, errs, followed)
		}
	}
}
