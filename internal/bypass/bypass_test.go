package bypass

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

const (
	app     = "127.0.0.1:8080"
	podIP   = "10.1.2.3:8080"
	podIPv6 = "[fd00::3]:8080"
)

// A network says how addresses answer: nil accepts, an error is a dial's, and
// what is missing hangs.
type network struct {
	mu    sync.Mutex
	hosts map[string]error
	dials map[string]int
}

func (n *network) set(address string, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.hosts[address] = err
}

func (n *network) dial(ctx context.Context, _, address string) (net.Conn, error) {
	n.mu.Lock()
	n.dials[address]++
	err, ok := n.hosts[address]
	n.mu.Unlock()
	if !ok {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, &net.OpError{Op: "dial", Err: err}
	}
	ours, theirs := net.Pipe()
	theirs.Close()
	return ours, nil
}

func (n *network) count(address string) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.dials[address]
}

// run runs a check in a bubble, where the app and the pod's two addresses refuse
// to begin with.
func run(t *testing.T, f func(*testing.T, *Check, *network, *observer.ObservedLogs)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.DebugLevel)
		c := New(Options{
			App: app, Log: zap.New(core),
			Past: []netip.AddrPort{netip.MustParseAddrPort(podIP), netip.MustParseAddrPort(podIPv6)},
		})
		n := &network{dials: map[string]int{}, hosts: map[string]error{
			app: syscall.ECONNREFUSED, podIP: syscall.ECONNREFUSED, podIPv6: syscall.ECONNREFUSED,
		}}
		c.dial = n.dial
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- c.Run(ctx) }()
		synctest.Wait()
		f(t, c, n, logs)
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

// want checks what is known, after d.
func want(t *testing.T, c *Check, d time.Duration, found, known bool) {
	t.Helper()
	time.Sleep(d)
	synctest.Wait()
	f, k := c.State()
	if f != found || k != known {
		t.Errorf("found, known = %v, %v, want %v, %v", f, k, found, known)
	}
	if ready := c.Err() == nil; ready != (known && !found) {
		t.Errorf("Err = %v", c.Err())
	}
}

func TestLooksWhenTheAppIsThere(t *testing.T) {
	run(t, func(t *testing.T, c *Check, n *network, logs *observer.ObservedLogs) {
		want(t, c, 30*time.Second, false, false)
		if n.count(podIP) > 0 {
			t.Error("it looked before the app was there")
		}
		n.set(podIPv6, nil)
		n.set(app, nil)
		want(t, c, time.Second, true, true)
		if err := c.Err(); !strings.Contains(err.Error(), podIPv6) || strings.Contains(err.Error(), podIP) || !strings.Contains(err.Error(), app) {
			t.Errorf("Err = %v", err)
		}
		was := n.count(app)
		want(t, c, 10*time.Minute, true, true)
		if n.count(app) != was {
			t.Error("the app is still dialled on loopback")
		}
		if n := n.count(podIPv6); n != 11 {
			t.Errorf("%d looks in 10 minutes, want one at once and one each minute", n)
		}
	})
}

// An app that never listens on loopback is looked for past the gate all the same.
func TestLooksWithoutTheApp(t *testing.T) {
	run(t, func(t *testing.T, c *Check, n *network, logs *observer.ObservedLogs) {
		n.set(podIP, nil)
		want(t, c, 59*time.Second, false, false)
		want(t, c, 2*time.Second, true, true)
		n.set(podIP, syscall.ECONNREFUSED)
		want(t, c, time.Minute, false, true)
	})
}

// An app that hangs on loopback does not make the looks rarer than a minute.
func TestAppHangs(t *testing.T) {
	run(t, func(t *testing.T, c *Check, n *network, logs *observer.ObservedLogs) {
		n.mu.Lock()
		delete(n.hosts, app)
		delete(n.hosts, podIPv6) // dropped by a firewall: nobody answers there
		n.mu.Unlock()
		want(t, c, 65*time.Second, false, true)
	})
}

func TestAppComesBackElsewhere(t *testing.T) {
	run(t, func(t *testing.T, c *Check, n *network, logs *observer.ObservedLogs) {
		n.set(app, nil)
		want(t, c, time.Second, false, true)
		n.set(podIP, nil)
		want(t, c, time.Minute, true, true)
		n.set(podIPv6, nil)
		want(t, c, time.Minute, true, true)
		n.set(podIP, syscall.ECONNREFUSED)
		n.set(podIPv6, syscall.ECONNREFUSED)
		want(t, c, time.Minute, false, true)
		var levels []zapcore.Level
		for _, e := range logs.All() {
			levels = append(levels, e.Level)
		}
		if len(levels) != 3 || levels[0] != zap.WarnLevel || levels[1] != zap.WarnLevel || levels[2] != zap.InfoLevel {
			t.Errorf("log: %v", logs.All())
		}
	})
}

func TestToldEachHour(t *testing.T) {
	run(t, func(t *testing.T, c *Check, n *network, logs *observer.ObservedLogs) {
		n.set(app, nil)
		n.set(podIP, nil)
		want(t, c, 59*time.Minute, true, true)
		if logs.Len() != 1 {
			t.Errorf("%d lines in the first hour, want 1", logs.Len())
		}
		want(t, c, 3*time.Hour, true, true)
		if logs.Len() != 4 {
			t.Errorf("%d lines in four hours, want 4", logs.Len())
		}
	})
}

// Where we could not ask, what was known stays.
func TestNoDescriptors(t *testing.T) {
	run(t, func(t *testing.T, c *Check, n *network, logs *observer.ObservedLogs) {
		n.set(app, nil)
		n.set(podIP, syscall.EMFILE)
		want(t, c, time.Second, false, false)
		n.set(podIP, nil)
		want(t, c, time.Minute, true, true)
		n.set(podIP, syscall.EMFILE)
		want(t, c, time.Minute, true, true)
		n.set(podIP, errors.New("no route to host"))
		want(t, c, time.Minute, false, true)
		n.set(podIP, syscall.EMFILE)
		n.set(podIPv6, nil)
		want(t, c, time.Minute, true, true)
	})
}

func TestEndsAtOnce(t *testing.T) {
	run(t, func(t *testing.T, c *Check, n *network, logs *observer.ObservedLogs) {
		n.mu.Lock()
		delete(n.hosts, podIP)
		n.hosts[app] = nil
		n.mu.Unlock()
		time.Sleep(poll + dialTimeout/2) // in the middle of a dial
	})
}

func TestPast(t *testing.T) {
	pod := []netip.Addr{netip.MustParseAddr("10.1.2.3"), netip.MustParseAddr("fd00::3")}
	for _, tc := range []struct {
		name string
		own  []net.Addr
		want int
	}{
		{"no listener", nil, 2},
		{"another port", []net.Addr{&net.TCPAddr{IP: net.IPv6unspecified, Port: 8443}}, 2},
		{"a socket", []net.Addr{&net.UnixAddr{Name: "/a"}}, 2},
		{"loopback", []net.Addr{&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080}}, 2},
		{"one of them", []net.Addr{&net.TCPAddr{IP: net.IPv4(10, 1, 2, 3), Port: 8080}}, 1},
		{"the other", []net.Addr{&net.TCPAddr{IP: net.ParseIP("fd00::3"), Port: 8080}}, 1},
		{"all", []net.Addr{&net.TCPAddr{IP: net.IPv6unspecified, Port: 8080}}, 0},
		{"all of IPv4, which is all", []net.Addr{&net.TCPAddr{IP: net.IPv4zero, Port: 8080}}, 0},
		{"all, unnamed", []net.Addr{&net.TCPAddr{Port: 8080}}, 0},
	} {
		if got := Past(pod, 8080, tc.own); len(got) != tc.want {
			t.Errorf("%s: %v, want %d", tc.name, got, tc.want)
		}
	}
}
