package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"sallyport/internal/config"
	"sallyport/internal/telemetry"
)

const (
	// adminTimeout bounds a request to the admin listener, and the wait for one to
	// that for debugging.
	adminTimeout = 10 * time.Second
	// adminHeaderBytes is enough for a scraper that sends a token of 16 KiB, which
	// nobody asks it for.
	adminHeaderBytes = 32 << 10
	// adminIdleTimeout is longer than the minute that scrapers commonly let pass.
	adminIdleTimeout = 90 * time.Second
	// busyPoll is how often a server that stops looks whether it still serves. It
	// is much less than anybody takes to notice that a process has ended.
	busyPoll = 10 * time.Millisecond
)

// A server is one listener and what serves it.
type server struct {
	name     string
	listener net.Listener
	tls      *tls.Config // nil: none
	http     *http.Server
	// busy counts the handlers that run: an upgraded connection is one, which
	// net/http loses sight of. No WaitGroup, as handlers of HTTP/2 streams that
	// are over already may begin at any time.
	busy atomic.Int64
}

// listen binds the address and returns a server that does not serve yet.
func listen(name string, at config.Address, h http.Handler, log *zap.Logger) (*server, error) {
	if at.Network == "unix" {
		if err := removeSocket(at.Name); err != nil {
			return nil, err
		}
	}
	l, err := net.Listen(at.Network, at.Name)
	if err != nil {
		return nil, fmt.Errorf("--%s: %w", name, err)
	}
	log = log.With(zap.String("listener", name))
	s := &server{name: name, listener: &watched{Listener: l, log: log}}
	s.http = &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s.busy.Add(1)
			defer s.busy.Add(-1)
			h.ServeHTTP(w, r)
		}),
		// net/http would answer OPTIONS * itself, with 200 for everybody.
		DisableGeneralOptionsHandler: true,
		// The data listener has its own, see limits.
		MaxHeaderBytes:    adminHeaderBytes,
		ReadHeaderTimeout: adminTimeout,
		IdleTimeout:       adminIdleTimeout,
		// Handshakes and broken connections are other people's doing: they
		// must not fill our log.
		ErrorLog: telemetry.StdLog(log, zap.DebugLevel),
	}
	return s, nil
}

// removeSocket removes a socket that a former run left behind, and nothing else.
func removeSocket(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil && info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("%s is there and is no socket: remove it, or listen elsewhere", path)
	}
	if err == nil {
		err = os.Remove(path)
	}
	return err
}

// secure puts TLS in front.
func (s *server) secure(certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)) {
	s.tls = &tls.Config{
		MinVersion: tls.VersionTLS12, GetCertificate: certificate, CipherSuites: suites,
		NextProtos: []string{"h2", "http/1.1"},
	}
}

// suites are those of TLS 1.2 that Go prefers and HTTP/2 allows (RFC 9113, section
// 9.2.2): forward secrecy, and no CBC. Those of TLS 1.3 are not for choosing.
var suites = []uint16{
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
}

// serve serves until the server is shut down.
func (s *server) serve() error {
	err := s.http.Serve(s.listener)
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("--%s: %w", s.name, err)
}

// stop closes the listener at once and waits for the requests under way and the
// upgraded connections, at most for grace; then it cuts them. It reports whether it had to.
func (s *server) stop(grace time.Duration) (cut bool) {
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	if s.http.Shutdown(ctx) == nil {
		// No connection is left that could bring another request.
		for ctx.Err() == nil {
			if s.busy.Load() == 0 {
				return false
			}
			time.Sleep(busyPoll)
		}
	}
	s.http.Close()
	return true
}

func (s *server) addr() string { return s.listener.Addr().String() }
