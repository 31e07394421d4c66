package minicluster

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// A Server serves with TLS on loopback, at one address for its whole life.
type Server struct {
	handler http.Handler
	port    *Port
	current atomic.Pointer[tls.Certificate]

	mu       sync.Mutex
	ca, next *authority
	end      func() // nil while stopped
}

// Serve serves the cluster's API on a free port of 127.0.0.1 until [Server.Stop].
func (c *Cluster) Serve() (*Server, error) { return Serve(c) }

// Serve serves what the handler has, as the API server would.
func Serve(h http.Handler) (*Server, error) {
	port, err := ReservePort()
	if err != nil {
		return nil, err
	}
	s := &Server{handler: h, port: port}
	if s.next, err = newAuthority(); err != nil {
		return nil, err
	}
	if err := s.RotateCA(); err != nil {
		return nil, err
	}
	return s, s.Start()
}

// Start serves again, at the same address.
func (s *Server) Start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.end != nil {
		return nil
	}
	l, err := s.port.Listen()
	if err != nil {
		return fmt.Errorf("minicluster: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	srv := &http.Server{
		Handler:     s.handler,
		BaseContext: func(net.Listener) context.Context { return ctx },
		// Generous, for a client on the same machine.
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       time.Minute,
		// Clients that do not trust the CA are part of the game.
		ErrorLog:  log.New(io.Discard, "", 0),
		TLSConfig: &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: s.certificate},
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		// It ends with ErrServerClosed: nothing else closes the listener.
		_ = srv.ServeTLS(l, "", "")
	}()
	s.end = func() {
		cancel()
		srv.Close()
		<-served
	}
	return nil
}

// Stop cuts every connection and refuses new ones, until Start.
func (s *Server) Stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.end != nil {
		s.end()
		s.end = nil
	}
}

// URL returns the address, as https://127.0.0.1:PORT.
func (s *Server) URL() string { return "https://" + s.port.Addr() }

// CAPEM returns the CA that the server's certificate is from.
func (s *Server) CAPEM() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ca.pem
}

// NextCAPEM returns the CA that the next RotateCA changes to: who is to trust the
// server all the while has both before it.
func (s *Server) NextCAPEM() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.next.pem
}

// RotateCA replaces the CA, and the certificate in new connections. Those that
// are open stay so: Stop and Start end them too.
func (s *Server) RotateCA() error {
	after, err := newAuthority()
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ca, s.next = s.next, after
	return s.renew()
}

// RotateCertificate replaces the certificate alone.
func (s *Server) RotateCertificate() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.renew()
}

// renew takes a certificate from the CA. s.mu is held.
func (s *Server) renew() error {
	cert, err := s.ca.leaf()
	if err == nil {
		s.current.Store(cert)
	}
	return err
}

func (s *Server) certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return s.current.Load(), nil
}
