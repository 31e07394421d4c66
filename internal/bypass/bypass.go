// Package bypass finds out whether the app can be reached past the gate: whether
// what should listen on loopback alone answers at the pod's addresses too.
//
// It asks from inside of the pod. A connection to an address of one's own goes by
// no network, so no NetworkPolicy hides the answer.
package bypass

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"time"

	"go.uber.org/zap"
)

const (
	// interval is between two looks. An app that is started again with another
	// binding is found within it; oftener would fill the app's log with
	// connections that say nothing.
	interval = time.Minute
	// poll is how often the app is looked for until it is there: as often as
	// the probes of a pod that starts. A refused connection costs microseconds,
	// and the app sees none of it.
	poll = time.Second
	// dialTimeout is far more than a connection within a machine takes.
	dialTimeout = time.Second
	// repeat is how often a bypass that stays is told again: who keeps an hour
	// of logs finds it.
	repeat = time.Hour
)

// Options say where to look. All of it is required.
type Options struct {
	// App is where the gate reaches the app, as host:port.
	App string
	// Past is where nobody should reach it.
	Past []netip.AddrPort
	Log  *zap.Logger
}

// A Check looks for a bypass while it runs.
type Check struct {
	Options
	dial func(ctx context.Context, network, address string) (net.Conn, error)

	told time.Time // when a bypass was last logged; Run's own

	mu    sync.Mutex
	known bool             // one answered, or every address was looked at
	found []netip.AddrPort // those that answered
}

// New returns a check that has not looked yet.
func New(o Options) *Check {
	return &Check{Options: o, dial: new(net.Dialer).DialContext}
}

// Find tries every address once. It is for those who look once: Run does it by
// itself. Unknown are those that could not be tried.
func (c *Check) Find(ctx context.Context) (found, unknown []netip.AddrPort) {
	for _, at := range c.Past {
		switch there, err := c.answers(ctx, at.String()); {
		case err != nil || ctx.Err() != nil:
			unknown = append(unknown, at)
		case there:
			found = append(found, at)
		}
	}
	return found, unknown
}

// State reports whether the app answered past the gate when it was last looked
// for there, and whether that is known yet.
func (c *Check) State() (found, known bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.found) > 0, c.known
}

// Err is nil once it is known that the app does not answer past the gate.
func (c *Check) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case !c.known:
		return fmt.Errorf("not known yet: the app does not accept connections at %s, or our own descriptors are used up", c.App)
	case len(c.found) > 0:
		return fmt.Errorf("the app answers at %v too, past the gate: let it listen on %s alone", c.found, c.App)
	}
	return nil
}

// Run looks when the app is first there, and each minute from the start. It
// returns nil when ctx ends.
func (c *Check) Run(ctx context.Context) error {
	for next := time.Now().Add(interval); ctx.Err() == nil; pause(ctx, poll) {
		if there, _ := c.answers(ctx, c.App); there {
			break
		}
		if !time.Now().Before(next) {
			c.look(ctx)
			next = time.Now().Add(interval)
		}
	}
	for ctx.Err() == nil {
		c.look(ctx)
		pause(ctx, interval)
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// look tries every address. Of one that cannot be tried, what was known stays.
func (c *Check) look(ctx context.Context) {
	var found []netip.AddrPort
	all := true
	for _, at := range c.Past {
		there, err := c.answers(ctx, at.String())
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			c.Log.Debug("cannot tell whether the app answers past the gate", zap.Stringer("at", at), zap.Error(err))
			all, there = false, slices.Contains(c.found, at) // only this goroutine changes it
		}
		if there {
			found = append(found, at)
		}
	}
	c.mu.Lock()
	changed := !slices.Equal(found, c.found)
	c.known, c.found = c.known || all || len(found) > 0, found
	c.mu.Unlock()
	c.tell(changed, found)
}

func (c *Check) tell(changed bool, found []netip.AddrPort) {
	switch {
	case len(found) > 0 && (changed || time.Since(c.told) >= repeat):
		c.told = time.Now()
		c.Log.Warn("the app answers past the gate: whoever reaches the pod needs no token, and can send identity headers of their own; let it listen on loopback alone",
			zap.Stringers("at", found), zap.String("app", c.App))
	case changed:
		c.Log.Info("the app does not answer past the gate any more", zap.String("app", c.App))
	}
}

// answers reports whether somebody accepts a connection. An error means that
// this says nothing of the address: we could not ask.
func (c *Check) answers(ctx context.Context, address string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	conn, err := c.dial(ctx, "tcp", address)
	if err == nil {
		conn.Close()
		return true, nil
	}
	for _, ours := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.EADDRNOTAVAIL} {
		if errors.Is(err, ours) {
			return false, err
		}
	}
	return false, nil
}
