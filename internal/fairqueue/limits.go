package fairqueue

import (
	"net/netip"
	"time"
)

// Limits are what a [Queue] grants. Rate, Burst and Concurrent have no default.
type Limits struct {
	// Rate is how many calls a second are granted in the long run, or as many grants
	// where calls are worth more than one.
	Rate float64
	// Burst is how many are granted at once after a pause.
	Burst int
	// Concurrent is how many may be under way at the same time.
	Concurrent int

	// Addresses is how many may wait at the same time; default 256, as each
	// adds one turn to a round, and more would only wait in vain.
	Addresses int
	// PerAddress is how many calls may wait from one of them; default 64.
	PerAddress int
	// Wait is the longest that a call waits for its turn; default 2 s, which
	// leaves time for the call itself within a decision's 8 s.
	Wait time.Duration
}

// withDefaults fills in what may be left out.
func (l Limits) withDefaults() Limits {
	if l.Addresses == 0 {
		l.Addresses = 256
	}
	if l.PerAddress == 0 {
		l.PerAddress = 64
	}
	if l.Wait == 0 {
		l.Wait = 2 * time.Second
	}
	return l
}

// host is what takes turns: the machine as far as its address tells.
func host(addr netip.Addr) netip.Addr {
	addr = addr.Unmap().WithZone("")
	if !addr.Is6() {
		return addr
	}
	p, _ := addr.Prefix(64) // fails for more than 128 bits alone
	return p.Addr()
}
