package main

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"sync"

	"sallyport/e2e/provider"
)

// A front is the provider's side that is over TLS. It answers, hangs or refuses.
type front struct {
	address string
	tls     *tls.Config
	handler http.Handler

	mu        sync.Mutex
	behaviour provider.Behaviour
	server    *http.Server  // nil: refusing
	held      chan struct{} // closed when it does not hang
}

// newFront makes one that refuses until it is told to answer.
func newFront(address string, certificate tls.Certificate, handler http.Handler) *front {
	held := make(chan struct{})
	close(held)
	return &front{
		address: address, handler: handler, held: held, behaviour: provider.Refuse,
		tls: &tls.Config{Certificates: []tls.Certificate{certificate}},
	}
}

// behave returns when those who ask from now on meet the behaviour.
func (f *front) behave(b provider.Behaviour) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if b == f.behaviour {
		return nil
	}
	if f.behaviour == provider.Hang {
		close(f.held)
	}
	switch f.behaviour = b; b {
	case provider.Answer:
		return f.open()
	case provider.Hang:
		f.held = make(chan struct{})
		return f.open()
	case provider.Refuse:
		return f.close()
	default:
		return fmt.Errorf("no such behaviour: %q", b)
	}
}

func (f *front) open() error {
	if f.server != nil {
		return nil
	}
	l, err := net.Listen("tcp", f.address)
	if err != nil {
		return err
	}
	f.address = l.Addr().String() // the same when it is opened again
	f.server = &http.Server{Handler: f.handler, TLSConfig: f.tls}
	go f.server.ServeTLS(listener{l, f}, "", "")
	return nil
}

// close ends connections in the middle of what they do.
func (f *front) close() error {
	if f.server == nil {
		return nil
	}
	err := f.server.Close()
	f.server = nil
	return err
}

// hold waits while the front hangs.
func (f *front) hold() {
	f.mu.Lock()
	held := f.held
	f.mu.Unlock()
	<-held
}

// A listener's connections hang when the front does: what comes is taken, and
// not looked at, be it a handshake or a request on a connection that was there.
type listener struct {
	net.Listener
	front *front
}

func (l listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return conn{c, l.front}, err
}

type conn struct {
	net.Conn
	front *front
}

func (c conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.front.hold()
	return n, err
}
