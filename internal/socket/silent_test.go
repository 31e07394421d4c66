//go:build unix

package socket

import (
	"syscall"
	"testing"
	"time"
)

func TestSilent(t *testing.T) {
	near, far := pair(t, "tcp")
	raw, err := near.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	look := func(want bool) {
		t.Helper()
		for begun := time.Now(); time.Since(begun) < 10*time.Second; time.Sleep(time.Millisecond) {
			silent := false
			if raw.Control(func(fd uintptr) { silent = Silent(fd) }); silent == want {
				return
			}
		}
		t.Errorf("silent is never %v", want)
	}
	look(true)
	far.Write([]byte("x"))
	look(false)
	near.Read(make([]byte, 1))
	look(true)
	far.Close()
	look(false)
}
