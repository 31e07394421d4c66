package main

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"testing"
	"time"
)

// A request under way may be an upgraded connection.
func TestShutdownWaitsForWebSocket(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.app.Config.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Connection", "Upgrade")
		rw.Header().Set("Upgrade", "websocket")
		rw.WriteHeader(101)
		c, b, err := http.NewResponseController(rw).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		for {
			line, err := b.ReadString('\n')
			if err != nil {
				return
			}
			fmt.Fprint(c, line)
		}
	})
	c, err := net.Dial("tcp", w.gate.data.addr())
	must(t, err)
	defer c.Close()
	fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n", w.token())
	b := bufio.NewReader(c)
	resp, err := http.ReadResponse(b, nil)
	must(t, err)
	if resp.StatusCode != 101 {
		t.Fatal(resp.Status)
	}
	stopped := make(chan error, 1)
	go func() { stopped <- w.stop() }()
	w.eventually("closed", func() bool {
		_, err := net.Dial("tcp", w.gate.data.addr())
		return err != nil
	})
	select {
	case err := <-stopped:
		t.Fatalf("stopped (%v) while a WebSocket was open, long before --shutdown-grace", err)
	case <-time.After(time.Second):
	}
	fmt.Fprint(c, "hello\n")
	c.SetReadDeadline(time.Now().Add(10 * time.Second)) // a bug, not a hang
	line, err := b.ReadString('\n')
	if err != nil || line != "hello\n" {
		t.Errorf("%q %v", line, err)
	}
	c.Close()
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

// And of HTTP/2 in clear.
func TestShutdownWaitsForH2C(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	reached := make(chan struct{})
	w := start(t)
	w.app.Config.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		close(reached)
		<-release
		rw.Write([]byte("done"))
	})
	tr := &http.Transport{Protocols: new(http.Protocols)}
	tr.Protocols.SetUnencryptedHTTP2(true)
	token := w.token()
	got := make(chan answer, 1)
	go func() {
		req, _ := http.NewRequest("GET", "http://"+w.gate.data.addr()+"/", nil)
		req.Header.Set("Authorization", "Bearer "+token)
		got <- w.do(&http.Client{Transport: tr}, req)
	}()
	<-reached
	stopped := make(chan error, 1)
	go func() { stopped <- w.stop() }()
	w.eventually("closed", func() bool {
		_, err := net.Dial("tcp", w.gate.data.addr())
		return err != nil
	})
	time.Sleep(500 * time.Millisecond)
	close(release)
	if a := <-got; a.code != 200 || a.body != "done" {
		t.Errorf("the request under way: %d %q", a.code, a.body)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}
