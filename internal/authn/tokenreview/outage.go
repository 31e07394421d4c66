package tokenreview

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"go.uber.org/zap"

	"sallyport/internal/authn"
)

const (
	// minProbe and maxProbe bound the pause between two probes of an API server
	// that is away. With a probe under way they keep recovery within 10 s.
	minProbe = time.Second
	maxProbe = 5 * time.Second
	// doublings is how often the pause is doubled: 4 s, and a quarter more at
	// most, is maxProbe.
	doublings = 2
)

// An outage is whether the API server is away: a review failed for want of an
// answer and none has succeeded since. Then nobody waits for it, and one probe
// at a time finds out that it is back.
type outage struct {
	log *zap.Logger
	// began wakes Run.
	began chan struct{}

	mu    sync.Mutex
	cause *failure // nil: not away
	since time.Time
	// waiting is the last token that was turned away: a probe that somebody has
	// a use for.
	waiting string
	// answered is when the last answer came.
	answered time.Time
}

func newOutage(log *zap.Logger) outage {
	return outage{log: log, began: make(chan struct{}, 1)}
}

// refuse returns the outage's error while there is one.
func (o *outage) refuse(token string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.cause == nil {
		return nil
	}
	o.waiting = token
	e := o.cause.err()
	if e.RetryAfter == 0 {
		e.RetryAfter = maxProbe
	}
	return e
}

func (o *outage) begin(f *failure) {
	o.mu.Lock()
	fresh := o.cause == nil
	if fresh {
		o.since = time.Now()
	}
	o.cause = f
	o.mu.Unlock()
	if !fresh {
		return
	}
	o.log.Error("the API server is away: nobody waits for it, and it is probed until it answers", zap.Stringer("cause", f))
	select {
	case o.began <- struct{}{}:
	default:
	}
}

func (o *outage) end() {
	o.mu.Lock()
	away, since := o.cause != nil, o.since
	o.cause, o.waiting, o.answered = nil, "", time.Now()
	o.mu.Unlock()
	if away {
		o.log.Info("the API server answers again", zap.Duration("after", time.Since(since)))
	}
}

// answeredSince reports whether an answer has come since t.
func (o *outage) answeredSince(t time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.answered.After(t)
}

// hangs reports whether an outage began with a call that hangs, which may be
// that one token's doing.
func (o *outage) hangs() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.cause != nil && o.cause.result == Timeout
}

// pause is how long to wait before the next probe. A quarter of it is left to
// chance: a fleet that lost the same API server must not come back as one.
func (o *outage) pause(probes int) time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	d := minProbe << min(probes, doublings)
	d += rand.N(d / 4)
	if o.cause != nil {
		d = max(d, min(o.cause.after, maxProbe))
	}
	return d
}

// Away says since when the API server has given no answer, and why; a zero time
// means that it does.
func (r *Reviewer) Away() (since time.Time, why string) {
	o := &r.outage
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.cause == nil {
		return time.Time{}, ""
	}
	return o.since, o.cause.String()
}

func (o *outage) away() (waiting string, away bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.waiting, o.cause != nil
}

// Run probes the API server while it is away, until ctx ends.
func (r *Reviewer) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-r.outage.began:
		}
		if own := r.own(); own.token != "" && r.outage.hangs() {
			r.review(ctx, own, time.Now(), false)
		}
		for probes := 0; ; probes++ {
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(r.outage.pause(probes)):
			}
			token, away := r.outage.away()
			if !away {
				break
			}
			r.probe(ctx, token, probes)
		}
	}
}

// probe makes one review, in turn of the token that was turned away last and of
// our own: a token that the API server chokes on must not keep it away for the
// others. Any answer ends the outage, a no as well as a yes; the answer itself
// is nobody's and is dropped.
func (r *Reviewer) probe(ctx context.Context, token string, nth int) {
	q := r.callers(token)
	if own := r.own(); own.token != "" && (token == "" || nth%2 == 1) {
		q = own
	}
	if q.token != "" {
		r.review(ctx, q, time.Now(), false)
	}
}

// nobodys is a token of nobody's, {"alg":"RS256"}.{"iss":"sallyport.invalid"}: no
// API server says yes to it, and each that we may ask says no.
const nobodys = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJzYWxseXBvcnQuaW52YWxpZCJ9.AA"

// MayAsk is nil where the API server answers a question about our own token, or
// about one of nobody's where we have none. Else it is the outage that callers
// would meet.
func (r *Reviewer) MayAsk(ctx context.Context) error {
	q := r.own()
	if q.token == "" {
		q.token = nobodys
	}
	if _, f := r.review(ctx, q, time.Now(), false); f != nil {
		return f.err()
	}
	return nil
}

// Err says why the API server counts as away, and is nil while it does not.
func (r *Reviewer) Err() error {
	r.outage.mu.Lock()
	defer r.outage.mu.Unlock()
	if r.outage.cause == nil {
		return nil
	}
	return r.outage.cause.err()
}

var _ authn.Authenticator = (*Reviewer)(nil)
