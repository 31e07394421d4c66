package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"sallyport/bench/world"
)

const (
	// eachStream is how many streams there are of each kind and manner. Together
	// they are below the 256 that one caller may have.
	eachStream = 16
	// revokedWithin is how soon a stream ends after its pod was deleted: recheck, a
	// second look 6 s later and a sweep, with as much again for a busy machine.
	revokedWithin = 20 * time.Second
)

// errStream is a stream that did not begin, or did not end as it should.
var errStream = errors.New("a stream")

// streams opens WebSockets, event streams and downloads. A third of each is closed
// by its caller, a third is abandoned, and the others' pod is deleted.
func streams(ctx context.Context, g *ground, _ *crowd) error {
	lasting, err := g.token()
	if err != nil {
		return err
	}
	pod := world.Caller()
	pod.Pod = fmt.Sprint("doomed-", time.Now().UnixNano())
	g.Cluster.CreatePod(pod.Namespace, pod.Pod, pod.ServiceAccount, "")
	doomed, err := g.Cluster.Token(pod)
	if err != nil {
		return err
	}
	var open []*stream
	defer func() {
		for _, s := range open {
			s.abandon()
		}
	}()
	var mu sync.Mutex
	var wg sync.WaitGroup
	failures := make(chan error, 9*eachStream)
	for _, path := range []string{"/socket", "/events", "/download"} {
		for i := range 3 * eachStream {
			token := lasting
			if i%3 == 0 {
				token = doomed
			}
			wg.Go(func() {
				s, err := g.stream(path, token, i)
				if err != nil {
					failures <- fmt.Errorf("%w at %s: %w", errStream, path, err)
					return
				}
				mu.Lock()
				defer mu.Unlock()
				open = append(open, s)
			})
		}
	}
	wg.Wait()
	close(failures)
	if err := <-failures; err != nil {
		return err
	}
	<-ctx.Done()
	g.Cluster.DeletePod(pod.Namespace, pod.Pod, 0)
	return end(open)
}

// end ends streams, each in its manner.
func end(open []*stream) error {
	deadline := time.After(revokedWithin)
	for _, s := range open {
		switch s.manner {
		case 1:
			s.conn.Close()
		case 2:
			s.abandon()
		}
	}
	for _, s := range open {
		if s.manner != 0 {
			continue
		}
		select {
		case <-s.ended:
		case <-deadline:
			return fmt.Errorf("%w at %s goes on %v after its pod was deleted", errStream, s.path, revokedWithin)
		}
	}
	return nil
}

// A stream is a request that goes on, on a connection of its own.
type stream struct {
	path   string
	manner int // 0: until it is revoked, 1: closed, 2: abandoned
	conn   *tls.Conn
	ended  chan struct{} // closed when the gate has ended it, or we have
}

func (g *ground) stream(path, token string, i int) (*stream, error) {
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: answerTimeout}, "tcp", g.gate.Data, insecure)
	if err != nil {
		return nil, err
	}
	s := &stream{path: path, manner: i % 3, conn: conn, ended: make(chan struct{})}
	upgrade := ""
	if path == "/socket" {
		upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
	}
	_, err = fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n%s\r\n", path, token, upgrade)
	if err != nil {
		s.abandon()
		return nil, err
	}
	r := bufio.NewReader(conn)
	_ = conn.SetReadDeadline(time.Now().Add(answerTimeout)) // what comes of it shows below
	resp, err := http.ReadResponse(r, nil)
	if err == nil && resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusSwitchingProtocols {
		err = errors.New(resp.Status)
	}
	if err != nil {
		s.abandon()
		return nil, err
	}
	_ = conn.SetReadDeadline(time.Time{})
	go func() {
		defer close(s.ended)
		_, _ = io.Copy(io.Discard, r)
	}()
	return s, nil
}

// abandon resets the connection, as a machine does that was switched off and on.
func (s *stream) abandon() {
	if tcp, ok := s.conn.NetConn().(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	s.conn.NetConn().Close()
}
