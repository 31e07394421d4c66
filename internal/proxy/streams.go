package proxy

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"sallyport/internal/authn"
)

const (
	// sweepEvery is how late a stream may end after its credential.
	sweepEvery = time.Second
	// secondLook is how long after a no of the API server the token is looked
	// at again: longer than a refusal is remembered (5 s in internal/cache), so
	// that the second no is another one.
	secondLook = 6 * time.Second
	// patience is how long a stream that has to end may take to its next frame
	// or message boundary. It is a little less than sweepEvery, so that the
	// next sweep finds it over.
	patience = 900 * time.Millisecond
	// farewell is how long a caller may take to answer a WebSocket's close
	// frame.
	farewell = time.Second
	// lookTimeout is above what any decision takes (8 s).
	lookTimeout = 10 * time.Second
	// maxLooks is how many tokens are looked at at a time: half of the reviews
	// that may be under way, so that new callers find a place beside them.
	maxLooks = 16
)

// StreamOptions are what [NewStreams] needs.
type StreamOptions struct {
	// Authenticator is asked again about the tokens of requests under way. It
	// should remember its decisions: it is asked about each token ten times in
	// Recheck. Required.
	Authenticator authn.Authenticator
	// Recheck is how long the API server's word is good for. Required.
	Recheck time.Duration
	// Finish lets requests go on to their own end, whatever becomes of their
	// credential.
	Finish bool
	// Ended is told of each stream that was ended; it may be nil.
	Ended func(End)
	// Log gets a line where a look failed for a bug of ours. Default none.
	Log *zap.Logger
}

// Streams watch the requests under way, and end those whose credential has
// ended: upgraded connections, event streams and gRPC when their token expires or
// is revoked, any other answer only when it is revoked, so that a long download
// is not cut in two. An outage is neither.
//
// Nothing is started for a request: one sweeper looks at all of them, once a
// second.
type Streams struct {
	o StreamOptions
	// every is between two looks at a token. With a tenth of Recheck at least
	// one look falls into the time in which the cache has the token confirmed
	// again and nobody has to wait.
	every, tick, second, patience time.Duration

	open atomic.Int64 // see Open

	mu             sync.Mutex
	oldest, newest *exchange
	// queue are the looks to come: requests with one and the same token.
	queue   [][]*exchange
	workers int
}

// NewStreams returns Streams to be given to one gate, in [Options].
func NewStreams(o StreamOptions) (*Streams, error) {
	if o.Authenticator == nil || o.Recheck <= 0 {
		return nil, errors.New("proxy: streams need an Authenticator and Recheck")
	}
	if o.Ended == nil {
		o.Ended = func(End) {}
	}
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	every := max(o.Recheck/10, sweepEvery)
	return &Streams{o: o, every: every, tick: sweepEvery, second: secondLook, patience: patience}, nil
}

// Open is how many answers are under way that end with their credential: upgraded
// connections, event streams and gRPC.
func (s *Streams) Open() int { return int(s.open.Load()) }

// Run sweeps until ctx ends.
func (s *Streams) Run(ctx context.Context) error {
	if s.o.Finish {
		<-ctx.Done()
		return nil
	}
	ticker := time.NewTicker(s.tick)
	defer ticker.Stop()
	for {
		select {
		case now := <-ticker.C:
			s.sweep(ctx, now)
		case <-ctx.Done():
			return nil
		}
	}
}
