//go:build unix && (!linux || !(amd64 || arm64) || race)

package socket

import "syscall"

// Silent reports whether there is nothing to be read from the socket fd, not even its
// end.
func Silent(fd uintptr) bool {
	_, _, err := syscall.Recvfrom(int(fd), make([]byte, 1), syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	return err == syscall.EAGAIN
}
