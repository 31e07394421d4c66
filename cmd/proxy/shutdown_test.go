package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"

	"sallyport/internal/config"
)

func TestDrainThenStop(t *testing.T) {
	t.Parallel()
	const delay = 3 * time.Second // longer than what a busy machine does at once
	w := start(t, fmt.Sprint("--drain-delay=", delay))
	token := w.token()
	if a := w.get(token); a.header.Get("Connection") != "" {
		t.Errorf("Connection: %q before the drain", a.header.Get("Connection"))
	}
	begun := time.Now()
	drained := make(chan int, 1)
	go func() {
		resp, err := http.Post("http://"+w.gate.debug.addr()+"/drain", "", nil)
		if err != nil {
			drained <- 0
			return
		}
		resp.Body.Close()
		drained <- resp.StatusCode
	}()
	w.eventually("red", func() bool { code, _ := w.admin("/readyz"); return code == http.StatusServiceUnavailable })
	if code, _ := w.admin("/livez"); code != 200 {
		t.Errorf("/livez is %d while draining", code)
	}
	req, _ := http.NewRequest(http.MethodGet, "http://"+w.gate.data.addr()+"/", nil)
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultTransport.RoundTrip(req)
	must(t, err)
	resp.Body.Close()
	if resp.StatusCode != 200 || !resp.Close {
		t.Errorf("while draining: %d, closing %v; want it served, and the connection closed", resp.StatusCode, resp.Close)
	}
	if code := <-drained; code != 200 {
		t.Errorf("POST /drain: %d", code)
	}
	if took := time.Since(begun); took < delay || took > delay+atOnce {
		t.Errorf("the drain took %v, want the delay of %v", took, delay)
	}
	begun = time.Now()
	if err := w.stop(); err != nil {
		t.Error(err)
	}
	if took := time.Since(begun); took > atOnce {
		t.Errorf("SIGTERM after a drain took %v: it must not wait again", took)
	}
}

// Handshakes that do not end hold up a stop for net/http's five seconds, and no longer.
func TestStopDuringHandshakes(t *testing.T) {
	t.Parallel()
	w := start(t, certified(t, time.Hour)...)
	const each = 10
	for i := range 2 * each {
		c, err := net.Dial("tcp", w.gate.data.addr())
		must(t, err)
		defer c.Close()
		if i%2 == 0 {
			_, err = io.WriteString(c, "\x16\x03\x01\x02\x00\x01\x00") // a hello's beginning
			must(t, err)
		}
	}
	w.eventually("connected", func() bool { return w.gate.limits.data.Open() == 2*each })
	begun := time.Now()
	if err := w.stop(); err != nil {
		t.Error(err)
	}
	if took := time.Since(begun); took > 5*time.Second+atOnce {
		t.Errorf("it took %v", took)
	}
	if n := w.gate.limits.data.Open(); n > 0 {
		t.Errorf("%d connections are left", n)
	}
}

// An answer that begins while draining ends its connection, also where the
// request came before: the caller's next one would come to an app that has gone.
func TestDrainMeetsRequest(t *testing.T) {
	t.Parallel()
	reached, release := make(chan struct{}), make(chan struct{})
	w := start(t, "--drain-delay=1s")
	w.handler.Store(&handler{http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(reached)
		<-release
	})})
	req, err := http.NewRequest(http.MethodGet, "http://"+w.gate.data.addr()+"/", nil)
	must(t, err)
	req.Header.Set("Authorization", "Bearer "+w.token())
	closes := make(chan bool, 1)
	go func() {
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Error(err)
			closes <- false
			return
		}
		resp.Body.Close()
		closes <- resp.Close
	}()
	<-reached
	stopped := make(chan error, 1)
	go func() { stopped <- w.stop() }()
	w.eventually("red", func() bool { code, _ := w.admin("/readyz"); return code == http.StatusServiceUnavailable })
	close(release)
	if !<-closes {
		t.Error("the connection stays")
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

// A request under way when SIGTERM comes is finished.
func TestShutdownWaits(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	reached := make(chan struct{})
	w := start(t)
	w.handler.Store(&handler{http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		close(reached)
		<-release
		rw.Write([]byte("done"))
	})})
	got := make(chan answer, 1)
	token := w.token()
	go func() { got <- w.get(token) }()
	<-reached
	stopped := make(chan error, 1)
	go func() { stopped <- w.stop() }()
	w.eventually("closed", func() bool {
		_, err := http.Get("http://" + w.gate.data.addr())
		return err != nil
	})
	close(release)
	if a := <-got; a.code != 200 || a.body != "done" {
		t.Errorf("the request under way: %d %q", a.code, a.body)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

// net/http starts a handler for each HTTP/2 stream, and one may begin when its
// stream is over and the server stops.
func TestStopWhileHandlersBegin(t *testing.T) {
	t.Parallel()
	begun := make(chan struct{})
	yield := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		select {
		case begun <- struct{}{}:
		default:
			runtime.Gosched()
		}
	})
	s, err := listen("x", config.Address{Network: "tcp", Name: "127.0.0.1:0"}, yield, zap.NewNop())
	must(t, err)
	go s.serve()
	over := make(chan struct{})
	var late sync.WaitGroup
	late.Go(func() {
		for {
			select {
			case <-over:
				return
			default:
				s.http.Handler.ServeHTTP(nil, nil)
			}
		}
	})
	<-begun
	cut := make(chan bool)
	go func() { cut <- s.stop(10 * time.Second) }()
	for range 100 {
		<-begun
	}
	close(over)
	late.Wait()
	if <-cut {
		t.Error("cut, though each handler returns at once")
	}
}
