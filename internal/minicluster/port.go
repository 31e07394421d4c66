package minicluster

import (
	"fmt"
	"net"
	"os"
	"syscall"
)

// A Port is a free port of 127.0.0.1 that stays ours while nobody listens: a
// socket is bound to it that never listens, and who connects is refused. Without,
// the next connection from anywhere on this machine may get it as its own end.
type Port struct {
	addr string
	held *os.File // closed by the garbage collector, with the Port
}

// ReservePort takes a free port.
func ReservePort() (*Port, error) {
	syscall.ForkLock.RLock()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(fd)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, fmt.Errorf("minicluster: %w", os.NewSyscallError("socket", err))
	}
	p := &Port{held: os.NewFile(uintptr(fd), "port")}
	// Two sockets may be bound to a port if both say so, and one listens at most;
	// package net always does.
	if err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
		return nil, fmt.Errorf("minicluster: %w", os.NewSyscallError("setsockopt", err))
	}
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return nil, fmt.Errorf("minicluster: %w", os.NewSyscallError("bind", err))
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		return nil, fmt.Errorf("minicluster: %w", os.NewSyscallError("getsockname", err))
	}
	p.addr = fmt.Sprintf("127.0.0.1:%d", name.(*syscall.SockaddrInet4).Port)
	return p, nil
}

// Addr returns the address, as 127.0.0.1:PORT.
func (p *Port) Addr() string { return p.addr }

// Listen listens there. It may be called again after the listener was closed.
func (p *Port) Listen() (net.Listener, error) { return net.Listen("tcp", p.addr) }
