package main

import (
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"sallyport/internal/minicluster"
)

// What is wrong with the app.
const (
	well   = ""
	slow   = "slow"
	resets = "resets"
)

// slowness is how long a slow app thinks, and impatience how long some callers wait
// for it.
const (
	slowness   = 300 * time.Millisecond
	impatience = slowness / 3
)

// An app answers, and fails as it is told.
type app struct {
	port  *minicluster.Port
	fault atomic.Value // string

	mu     sync.Mutex
	server *http.Server // nil while it is down
}

func newApp() (*app, error) {
	port, err := minicluster.ReservePort()
	if err != nil {
		return nil, err
	}
	a := &app{port: port}
	a.fault.Store(well)
	return a, a.start()
}

func (a *app) url() string { return "http://" + a.port.Addr() }

// start serves again after stop.
func (a *app) start() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	l, err := a.port.Listen()
	if err != nil {
		return err
	}
	a.server = &http.Server{Handler: a, ReadHeaderTimeout: 10 * time.Second}
	go func(s *http.Server) { _ = s.Serve(l) }(a.server) // ends with ErrServerClosed
	return nil
}

// stop cuts every connection, and refuses new ones.
func (a *app) stop() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.server != nil {
		a.server.Close()
		a.server = nil
	}
}

func (a *app) close() { a.stop() }

// ServeHTTP does what the path says: /events and /socket go on until somebody ends
// them, and so does /download, which is always busy.
func (a *app) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch a.fault.Load() {
	case slow:
		select {
		case <-time.After(slowness):
		case <-r.Context().Done():
			return
		}
	case resets:
		reset(w)
		return
	}
	switch r.URL.Path {
	case "/events":
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, "data: x\n\n") // the gate may have gone
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	case "/download":
		chunk := []byte(strings.Repeat("x", 8<<10))
		for {
			if _, err := w.Write(chunk); err != nil {
				return
			}
			_ = http.NewResponseController(w).Flush()
			select {
			case <-r.Context().Done():
				return
			case <-time.After(50 * time.Millisecond):
			}
		}
	case "/socket":
		socket(w)
	default:
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, "ok\n")
	}
}

// socket accepts a WebSocket, sends one frame, and reads until it ends.
func socket(w http.ResponseWriter) {
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x01x")
	_, _ = io.Copy(io.Discard, rw)
}

// reset promises more than it sends, and resets the connection.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
	_ = conn.(*net.TCPConn).SetLinger(0)
	conn.Close()
}
