package config

import (
	"fmt"
	"strconv"
	"time"
)

// Limits are how much of us callers may take.
type Limits struct {
	Connections       int
	InFlight          int // requests at the app, see docs/limits.md for whose
	InFlightPerCaller int
	Streams           int // requests under way on one HTTP/2 connection
	HeaderBytes       int // of one request, its first line among them
	Headers           int // lines of one request's header
	ReadHeaderTimeout time.Duration
	IdleTimeout       time.Duration
}

const groupLimits = "How much is taken at once"

// numberValue is what stands for a number in the help.
const numberValue = "N"

var limitSettings = []setting{
	// What waits for its first request costs about 17 KiB, so 1,024 are 17 MiB,
	// and half of them, which is what one address gets, 9 MiB. The upper bound
	// catches a slip.
	{flag: "max-connections", field: "maxConnections", value: numberValue, def: "1024", group: groupLimits,
		help: "connections, half of them for one address; 16 to 100000",
		set:  limit(func(l *Limits) *int { return &l.Connections }, 16, 100000)},
	// An event stream takes 71 KiB, so 1,024 are 71 MiB: within the memory limit of
	// deploy/sidecar.yaml. In HTTP/1 it is one for each connection.
	{flag: "max-in-flight", field: "maxInFlight", value: numberValue, def: "1024", group: groupLimits,
		help: "requests at the app, a quarter of them for public paths; half as many more may wait for a decision; 16 to 100000",
		set:  limit(func(l *Limits) *int { return &l.InFlight }, 16, 100000)},
	{flag: "max-in-flight-per-caller", field: "maxInFlightPerCaller", value: numberValue, learnt: "a quarter of all", group: groupLimits,
		help: "of these, for one token's subject",
		set:  limit(func(l *Limits) *int { return &l.InFlightPerCaller }, 1, 75000)},
	// The least that RFC 9113 section 6.5.2 recommends, and what kube-apiserver
	// has: each may cost some 20 KB, on each connection that an address may have.
	{flag: "max-streams", field: "maxStreams", value: numberValue, def: "100", group: groupLimits,
		help: "requests under way on one HTTP/2 connection; 1 to 10000",
		set:  limit(func(l *Limits) *int { return &l.Streams }, 1, 10000)},
	// A token may have 16 KiB and browsers send up to that in cookies; twice the
	// two is plenty. With less than 20 KiB such a token would not get in.
	{flag: "max-header-bytes", field: "maxHeaderBytes", value: numberValue, def: "65536", group: groupLimits,
		help: "size of a request's header; 20480 to 1048576",
		set:  limit(func(l *Limits) *int { return &l.HeaderBytes }, 20<<10, 1<<20)},
	// Twice what Apache and Envoy take. Browsers send 30.
	{flag: "max-headers", field: "maxHeaders", value: numberValue, def: "200", group: groupLimits,
		help: "lines of a request's header; 32 to 1000",
		set:  limit(func(l *Limits) *int { return &l.Headers }, 32, 1000)},
	// Longer than two retransmissions in a row.
	{flag: "read-header-timeout", field: "readHeaderTimeout", value: timeValue, def: "10s", group: groupLimits,
		help: "for a header, or a TLS handshake, to arrive; 1s to 5m",
		set:  period(func(c *Config) *time.Duration { return &c.Limits.ReadHeaderTimeout }, time.Second, 5*time.Minute)},
	// Longer than the 60 s of common load balancers, so that they, who know,
	// close first.
	{flag: "idle-timeout", field: "idleTimeout", value: timeValue, def: "90s", group: groupLimits,
		help: "for a connection's next request; 1s to 1h",
		set:  period(func(c *Config) *time.Duration { return &c.Limits.IdleTimeout }, time.Second, time.Hour)},
}

// limit is a number between two bounds.
func limit(field func(*Limits) *int, least, most int) func(*loader, []written) {
	return one(func(c *Config) *int { return field(&c.Limits) }, number(least, most))
}

// number takes whole numbers between two bounds, both included.
func number(least, most int) func(string) (int, error) {
	return func(s string) (int, error) {
		n, err := strconv.Atoi(s)
		if err != nil || strconv.Itoa(n) != s {
			return 0, fmt.Errorf("%.64q is no whole number: write %d to %d", s, least, most)
		}
		if n < least || n > most {
			return 0, fmt.Errorf("%d is out of bounds: write %d to %d", n, least, most)
		}
		return n, nil
	}
}

// checkLimits completes what depends on another limit.
func (l *loader) checkLimits() {
	c := &l.config.Limits
	switch {
	case !l.written("max-in-flight-per-caller"):
		// So that two callers leave places to others.
		c.InFlightPerCaller = c.InFlight / 4
	case c.InFlightPerCaller > c.InFlight-c.InFlight/4 && !l.bad["max-in-flight"]:
		l.fail(l.at("max-in-flight-per-caller"), "all callers with a good token have %d, three quarters of --max-in-flight: write at most that", c.InFlight-c.InFlight/4)
	}
}
