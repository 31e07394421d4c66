package socket

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

// pair returns both ends of a connection over network.
func pair(t *testing.T, network string) (near, far net.Conn) {
	t.Helper()
	addr := "127.0.0.1:0"
	if network == "unix" {
		addr = filepath.Join(t.TempDir(), "s")
	}
	l, err := net.Listen(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if near, err = net.Dial(network, l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if far, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { near.Close(); far.Close() })
	return near, far
}

// each runs a test against what Go has, and against what we have instead.
func each(t *testing.T, test func(t *testing.T, near, far net.Conn)) {
	for _, network := range []string{"tcp", "unix"} {
		t.Run("net, "+network, func(t *testing.T) {
			near, far := pair(t, network)
			test(t, near, far)
		})
		t.Run("direct, "+network, func(t *testing.T) {
			near, far := pair(t, network)
			test(t, Direct(near), far)
		})
	}
}

func TestBothWays(t *testing.T) {
	each(t, func(t *testing.T, near, far net.Conn) {
		go io.Copy(far, far)
		for _, n := range []int{1, 100, 32 << 10, 32<<10 + 1, 1 << 20} {
			sent, got := bytes.Repeat([]byte("0123456789"), n/10+1)[:n], make([]byte, n)
			var both sync.WaitGroup
			both.Go(func() {
				if m, err := near.Write(sent); m != n || err != nil {
					t.Errorf("wrote %d of %d: %v", m, n, err)
				}
			})
			if _, err := io.ReadFull(near, got); err != nil || !bytes.Equal(got, sent) {
				t.Errorf("read not what was written, of %d bytes: %v", n, err)
			}
			both.Wait()
		}
		for what, f := range map[string]func([]byte) (int, error){"read": near.Read, "wrote": near.Write} {
			if n, err := f(nil); n != 0 || err != nil {
				t.Errorf("%s %d of nothing: %v", what, n, err)
			}
		}
	})
}

func TestEnds(t *testing.T) {
	for name, tc := range map[string]struct {
		end  func(near, far net.Conn)
		want error
	}{
		"the other end writes no more": {func(_, far net.Conn) { far.(stream).CloseWrite() }, io.EOF},
		"the other end is closed":      {func(_, far net.Conn) { far.Close() }, io.EOF},
		"a deadline in the past":       {func(near, _ net.Conn) { near.SetReadDeadline(time.Unix(1, 0)) }, os.ErrDeadlineExceeded},
		"closed":                       {func(near, _ net.Conn) { near.Close() }, net.ErrClosed},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, near, far net.Conn) {
				tc.end(near, far)
				_, err := near.Read(make([]byte, 1))
				var op *net.OpError
				if !errors.Is(err, tc.want) || errors.As(err, &op) && op.Op != "read" {
					t.Errorf("%v, want %v", err, tc.want)
				}
			})
			each(t, func(t *testing.T, near, far net.Conn) {
				done := make(chan error, 1)
				go func() {
					_, err := near.Read(make([]byte, 1))
					done <- err
				}()
				time.Sleep(time.Millisecond) // or not: it has to end
				tc.end(near, far)
				if err := <-done; !errors.Is(err, tc.want) {
					t.Errorf("while it waited: %v, want %v", err, tc.want)
				}
			})
		})
	}
}

// Whoever waits is woken up by what comes later.
func TestWaits(t *testing.T) {
	each(t, func(t *testing.T, near, far net.Conn) {
		read := make(chan error, 1)
		for range 100 {
			go func() {
				_, err := near.Read(make([]byte, 1))
				read <- err
			}()
			if _, err := far.Write([]byte("x")); err != nil {
				t.Fatal(err)
			}
			if err := <-read; err != nil {
				t.Fatal(err)
			}
		}
		go func() {
			_, err := near.Read(make([]byte, 1))
			read <- err
		}()
		near.SetReadDeadline(time.Now().Add(time.Millisecond))
		var timeout net.Error
		if err := <-read; !errors.As(err, &timeout) || !timeout.Timeout() {
			t.Errorf("%v, want a timeout", err)
		}
	})
}

// What did not fit before the deadline is not said to have been written.
func TestFull(t *testing.T) {
	each(t, func(t *testing.T, near, far net.Conn) {
		near.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
		sent, err := 0, error(nil)
		for err == nil {
			var n int
			n, err = near.Write(make([]byte, 10_000))
			sent += n
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%v, want that the time was over", err)
		}
		near.Close()
		if got, err := io.Copy(io.Discard, far); err != nil || int(got) != sent {
			t.Errorf("%d bytes came of %d: %v", got, sent, err)
		}
	})
}

func TestBroken(t *testing.T) {
	near, far := pair(t, "tcp")
	near = Direct(near)
	far.(*net.TCPConn).SetLinger(0)
	far.Close()
	if _, err := near.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("read: %v, want ECONNRESET", err)
	}
	_, err := near.Write([]byte("x"))
	var op *net.OpError
	if !errors.Is(err, syscall.EPIPE) || !errors.As(err, &op) || op.Op != "write" || op.Addr == nil {
		t.Errorf("write: %#v, want EPIPE, and where", err)
	}
}

// Others are what they were, and those of a closed connection fail as they do.
func TestDirect(t *testing.T) {
	near, _ := net.Pipe()
	if Direct(near) != near {
		t.Error("a pipe is none of the system's")
	}
	closed, _ := pair(t, "tcp")
	closed.Close()
	if _, err := Direct(closed).Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("%v, want net.ErrClosed", err)
	}
}
