// Package socket reads and writes connections without a word to Go's scheduler.
//
// Go tells it of each system call, in case that this takes long. Where all of a
// process was idle before, as a gate is between most requests, that wakes a thread up
// which looks after such calls (sysmon), looks at it a few times and sleeps again: for
// each request as many switches of threads as all that it is about. What is read from
// a socket and written to one that never blocks is over in a few microseconds, and
// nobody has to look after it.
//
// The same thread sees to it that a goroutine which computes for more than 10 ms makes
// room for others. It may sleep meanwhile, until the next timer or the next call of
// another kind: a fifth of a second at most, which is a tick of package processors, or
// where that does not run, seconds, as files are looked at again.
package socket

import (
	"net"
	"syscall"
)

// A stream is a connection of TCP, or of a unix socket of that kind.
type stream interface {
	net.Conn
	syscall.Conn
	CloseWrite() error
}
