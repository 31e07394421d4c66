package proxy

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// A socket is the caller's side of a WebSocket. What the app sends is counted,
// so that a close frame never stands inside of another frame.
type socket struct {
	net.Conn
	ending *atomicEnding
	gone   chan struct{} // closed when the request is over

	mu     sync.Mutex // held while writing
	frames frames
	over   bool // the close frame has gone out: nothing may follow
}

// Write implements io.Writer: it is the app's side speaking.
func (s *socket) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.ending.Load()
	if s.over || e != nil && s.frames.boundary() {
		s.close(e)
		return len(p), nil // nobody is to get it
	}
	if e == nil {
		n, err := s.Conn.Write(p)
		s.frames.pass(p[:n])
		return n, err
	}
	if _, err := s.Conn.Write(p[:s.frames.next(p)]); err != nil {
		return 0, err
	}
	s.close(e)
	return len(p), nil
}

// Read implements io.Reader. What a caller sends whose time is over reaches
// nobody; it is read, as the kernel would answer an unread byte with a reset,
// which can overtake the close frame.
func (s *socket) Read(p []byte) (int, error) {
	for {
		n, err := s.Conn.Read(p)
		if s.ending.Load() == nil {
			return n, err
		}
		if err != nil {
			return 0, err
		}
	}
}

// CloseWrite is what ReverseProxy calls when the app has closed its side.
func (s *socket) CloseWrite() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return nil
	}
	return s.closeWrite()
}

func (s *socket) closeWrite() error {
	if c, ok := s.Conn.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return errors.ErrUnsupported
}

// leave sends the close frame, if a frame is not under way: then Write does. It
// waits for a write under way, which the next sweep cuts.
func (s *socket) leave(e *ending) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.close(e)
}

// close needs s.mu.
func (s *socket) close(e *ending) {
	if s.over || !s.frames.boundary() {
		return
	}
	s.over = true
	frame := []byte{0x88, byte(2 + len(e.text()))}
	frame = append(binary.BigEndian.AppendUint16(frame, e.code()), e.text()...)
	until := time.Now().Add(farewell)
	// If any of this fails, the caller has gone, and reading says so too.
	_ = s.Conn.SetDeadline(until)
	if _, err := s.Conn.Write(frame); err == nil {
		e.clean.Store(true)
	}
	_ = s.closeWrite()
}

// upgradable hands out connections that can be ended between two frames.
type upgradable struct {
	http.ResponseWriter
	x *exchange
}

// Unwrap is for http.ResponseController.
func (u upgradable) Unwrap() http.ResponseWriter { return u.ResponseWriter }

// Hijack implements http.Hijacker.
func (u upgradable) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(u.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, fmt.Errorf("cannot be upgraded: %w", err)
	}
	f := &u.x.flight
	f.mu.Lock()
	defer f.mu.Unlock()
	f.socket = &socket{Conn: conn, ending: &f.ending, gone: make(chan struct{}), frames: frames{need: socketHead}}
	return f.socket, rw, nil
}
