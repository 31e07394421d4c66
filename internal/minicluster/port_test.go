package minicluster

import (
	"errors"
	"net"
	"syscall"
	"testing"
)

func TestPort(t *testing.T) {
	t.Parallel()
	p, err := ReservePort()
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := net.Dial("tcp", p.Addr()); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("err = %v, want it refused", err)
		}
		// Nobody else gets it: as the end of a connection nothing can be shared.
		_, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port(t, p)}}).Dial("tcp", "127.0.0.1:1")
		if !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("err = %v, want the address to be in use", err)
		}
		l, err := p.Listen()
		if err != nil {
			t.Fatal(err)
		}
		c, err := net.Dial("tcp", p.Addr())
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
		l.Close()
	}
}

func port(t *testing.T, p *Port) int {
	t.Helper()
	a, err := net.ResolveTCPAddr("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	return a.Port
}
