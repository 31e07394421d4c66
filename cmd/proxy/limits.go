package main

import (
	"context"
	"net/http"
	"net/netip"

	"go.uber.org/zap"

	"sallyport/internal/config"
	"sallyport/internal/connlimit"
	"sallyport/internal/inflight"
	"sallyport/internal/telemetry"
)

const (
	// adminConnections are for a kubelet, a Prometheus pair and a person or two,
	// who are answered at once.
	adminConnections = 64
	// maxReceived is what one HTTP/2 connection may send of bodies that the app
	// does not read yet, and so what we hold of them. net/http's default is 1 MiB.
	// At 1 ms from caller to us it allows 250 MB/s.
	maxReceived = 256 << 10
	// maxFrame is the least that RFC 9113 section 4.2 wants, and what clients
	// send. net/http's default is 1 MiB: a buffer that each connection may make
	// us hold, and more than maxReceived.
	maxFrame = 16 << 10
)

// limits are how much of us callers may take.
type limits struct {
	config   config.Limits
	log      *zap.Logger
	metrics  *telemetry.Metrics
	data     *connlimit.Limit
	admin    *connlimit.Limit
	requests *inflight.Limiter
}

func newLimits(c config.Limits, log *zap.Logger) *limits {
	l := &limits{config: c, log: log}
	data := l.tallyConnections("listen")
	l.data = connlimit.New(c.Connections, func(cause connlimit.Cause, addr netip.Addr) {
		l.metrics.ConnectionClosed(string(cause))
		data(cause, addr)
	})
	l.admin = connlimit.New(adminConnections, l.tallyConnections("admin-listen"))
	// Without descriptors a kubelet's probe would else make room for the next one,
	// and a probe that has failed takes the pod out of service.
	l.admin.After(l.data)
	l.requests = inflight.New(c.InFlight, c.InFlightPerCaller, func(ctx context.Context, k inflight.Kind, n int) {
		l.data.Placed(ctx, n, k == inflight.Admitted)
	}, l.tallyRequests())
	return l
}

// tallyConnections counts, and now and then says, which connections a limit
// closed. Each cause has a line of its own, as each is another matter.
func (l *limits) tallyConnections(listener string) func(connlimit.Cause, netip.Addr) {
	log := l.log.With(zap.String("listener", listener))
	tallies := map[connlimit.Cause]*telemetry.Tally{}
	for cause, text := range map[connlimit.Cause]string{
		connlimit.Waiting: "too many connections: those that waited longest for their first request were closed",
		connlimit.Idle:    "too many connections: those that were idle longest were closed",
		connlimit.Header:  "unfinished or large headers held too much: connections with most of them were closed",
		connlimit.Untaken: "answers that nobody took were in the way: the connections with most of them were closed",
		connlimit.Refused: "too many connections, and all of them in use or about to end: new ones were closed",
	} {
		tallies[cause] = telemetry.NewTally(func(n int, last string) {
			log.Warn(text, zap.Int("count", n), zap.String("last_peer", last))
		})
	}
	return func(cause connlimit.Cause, addr netip.Addr) {
		who := ""
		if addr.IsValid() {
			who = addr.String()
		}
		tallies[cause].Add(who)
	}
}

func (l *limits) tallyRequests() func(inflight.Kind, inflight.Caller) {
	var tallies [len(inflight.Kinds)]*telemetry.Tally
	for k, name := range inflight.Kinds {
		tallies[k] = telemetry.NewTally(func(n int, last string) {
			l.log.Warn("too many requests under way: some got 503",
				zap.String("kind", name), zap.Int("count", n), zap.String("last_caller", last))
		})
	}
	return func(k inflight.Kind, c inflight.Caller) {
		l.metrics.RequestRefused(k.String())
		who := c.Subject
		if who == "" && c.Addr.IsValid() {
			who = c.Addr.String()
		}
		tallies[k].Add(who)
	}
}

// examine takes a place for a request that waits until its token has been examined.
func (l *limits) examine(ctx context.Context, from netip.Addr) (leave func(), ok bool) {
	place, ok := l.requests.Enter(ctx, inflight.Examining, inflight.Caller{Addr: from})
	return place.Leave, ok
}

// apply gives the data listener its limits.
func (l *limits) apply(s *server) {
	s.http.MaxHeaderBytes = l.config.HeaderBytes
	s.http.ReadHeaderTimeout = l.config.ReadHeaderTimeout
	s.http.IdleTimeout = l.config.IdleTimeout
	s.http.Protocols = new(http.Protocols)
	s.http.Protocols.SetHTTP1(true)
	s.http.Protocols.SetUnencryptedHTTP2(true) // TLS is ours
	s.http.HTTP2 = &http.HTTP2Config{
		MaxConcurrentStreams:          l.config.Streams,
		MaxReadFrameSize:              maxFrame,
		MaxReceiveBufferPerConnection: maxReceived,
		MaxReceiveBufferPerStream:     maxReceived,
	}
	s.admit(l.data)
}

// admit bounds the connections of s.
func (s *server) admit(connections *connlimit.Limit) {
	s.listener = connections.Listener(s.listener, s.tls, s.http.ErrorLog)
	s.http.Handler = connections.Handler(s.http.Handler)
	s.http.ConnContext = connections.Context
	s.http.ConnState = connections.State
}
