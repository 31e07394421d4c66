package oidc

import (
	"context"
	"sync"
	"time"

	"go.uber.org/zap"

	"sallyport/internal/authn"
)

// maxAsking is how many may wait for the discovery document at once: a quarter
// of the decisions that may be under way, so that strangers who wait leave room.
const maxAsking = 256

// A Learner finds out whether an issuer that is not known is the cluster's by
// now. Keys are published before their first use; a new first issuer is not: an
// API server that was restarted with one signs under that name at once.
//
// What a token claims chooses when the API server is asked, and nothing else:
// not whom, nor what is believed of the answer.
type Learner struct {
	names *Names
	// read reads the discovery document, and has names learn what it says.
	read func(context.Context) error
	// cooldown is the least time between two good readings.
	cooldown time.Duration
	log      *zap.Logger

	mu       sync.Mutex
	waiting  int
	failures int   // readings failed since the last good one
	lastErr  error // the last one's
	next     time.Time
	inflight *flight
}

// NewLearner returns a Learner. Read must have names learn.
func NewLearner(names *Names, read func(context.Context) error, cooldown time.Duration, log *zap.Logger) *Learner {
	return &Learner{names: names, read: read, cooldown: cooldown, log: log}
}

// Find returns nil if the issuer is known, if only now. Where it is not, it
// causes a reading, at most one a cool-down whoever asks, and waits for it, for
// at most 3 s. It refuses an issuer that is unknown even then. Where the last
// reading failed nobody can tell, and that is an outage, for which one waits
// and nobody else.
func (l *Learner) Find(ctx context.Context, issuer string) error {
	if l.names.Has(issuer) {
		return nil
	}
	f, err := l.join(ctx)
	if err != nil {
		return err
	}
	if f != nil {
		defer l.leave()
		authn.Waits(ctx)
		select {
		case <-f.done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return l.outcome(issuer)
}

// join joins the reading under way, or starts one. No flight and no error mean
// that there is nothing to wait for.
func (l *Learner) join(ctx context.Context) (*flight, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.inflight == nil && time.Now().Before(l.next),
		l.inflight != nil && l.failures > 0:
		return nil, nil
	case l.waiting >= maxAsking:
		return nil, &authn.Error{Kind: authn.ErrUnavailable, Reason: authn.Overload,
			Detail: "too many tokens from issuers that are not known", RetryAfter: time.Second}
	case l.inflight == nil:
		l.inflight = &flight{done: make(chan struct{})}
		go l.run(context.WithoutCancel(ctx), l.inflight)
	}
	l.waiting++
	return l.inflight, nil
}

func (l *Learner) leave() {
	l.mu.Lock()
	l.waiting--
	l.mu.Unlock()
}

func (l *Learner) outcome(issuer string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.names.Has(issuer):
		return nil
	case l.failures > 0:
		return unavailable(l.lastErr, "the issuer %q is not known, and the discovery document could not be read", clip(issuer))
	}
	return authn.Refuse(authn.Issuer, "%q", clip(issuer))
}

// run reads once. Whoever asked first may leave: it goes on for the others.
func (l *Learner) run(ctx context.Context, f *flight) {
	start := time.Now()
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	err := l.read(ctx)
	cancel()

	l.mu.Lock()
	if err == nil {
		l.failures, l.lastErr = 0, nil
		l.next = start.Add(l.cooldown)
	} else {
		if l.failures++; l.failures == 1 {
			l.log.Warn("cannot read the discovery document, to look for the issuer of a token that is not known", zap.Error(explain(err)))
		}
		l.lastErr = explain(err)
		// Sooner than usual, as whoever asks meanwhile gets no answer; and
		// never more often than that, as it may fail for ever.
		pause := min(minRetry<<min(l.failures-1, 4), l.cooldown)
		l.next = time.Now().Add(jitter(pause))
	}
	l.inflight = nil
	l.mu.Unlock()
	close(f.done)
}
