// Package tokenreview asks the API server who a token belongs to.
//
// Our service account needs
//
//	apiGroups: [authentication.k8s.io]  resources: [tokenreviews]  verbs: [create]
package tokenreview

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"go.uber.org/zap"
	authenticationv1 "k8s.io/api/authentication/v1"
	"k8s.io/client-go/rest"

	"sallyport/internal/authn"
)

const (
	// reviewTimeout bounds one call. A healthy API server answers within
	// milliseconds.
	reviewTimeout = 3 * time.Second
	// notice is how long a call goes unanswered before the API server counts
	// as away: from then on only this call waits.
	notice = 2 * time.Second
	// minPause and maxPause bound the jittered pause before the one retry: long
	// enough for a token that was just re-read, short enough to go unnoticed.
	minPause = 50 * time.Millisecond
	maxPause = 150 * time.Millisecond
	// queueTime is what somebody who found the queue full is told to wait: as
	// long as anybody waits in it.
	queueTime = 2 * time.Second
)

// A Limiter bounds the calls to the API server.
type Limiter interface {
	// Acquire waits for a place, for a bounded time. The error means that there
	// is none. Release gives the place back.
	Acquire(ctx context.Context, addr netip.Addr) (release func(), err error)
}

// Options are what a Reviewer needs. All fields but OwnToken, Rejected and
// Observe are required.
type Options struct {
	// Host is the API server's address and Client reaches it, with our own
	// credential.
	Host   string
	Client *http.Client
	// Audiences are ours.
	Audiences []string
	// New limits reviews of tokens that were not admitted before, Known those
	// of tokens that were. They may be the same.
	New, Known Limiter
	// OwnToken returns our own token: an outage is probed with it while no
	// caller's is at hand. Nil means that there is none.
	OwnToken func() (string, error)
	// Rejected is called when the API server answers 401 to ourselves.
	Rejected func()
	// Observe is told the outcome of each review, and how long it took: no time
	// for one that was never sent.
	Observe func(Result, time.Duration)
	Log     *zap.Logger
}

// A Reviewer is an [authn.Authenticator] that asks the API server. It remembers
// nothing but whether the API server is away.
type Reviewer struct {
	o      Options
	client *rest.RESTClient
	outage outage
}

// New returns a Reviewer. Only Run ends an outage. The error is about the
// address.
func New(o Options) (*Reviewer, error) {
	if o.Observe == nil {
		o.Observe = func(Result, time.Duration) {}
	}
	if o.Rejected == nil {
		o.Rejected = func() {}
	}
	client, err := newClient(o.Host, o.Client)
	if err != nil {
		return nil, fmt.Errorf("a client for the API server at %s: %w", o.Host, err)
	}
	return &Reviewer{o: o, client: client, outage: newOutage(o.Log)}, nil
}

// Authenticate implements [authn.Authenticator]. It takes at most two calls of
// 3 s and what the limiter waits; while the API server is away it takes no time.
//
// The token must have passed [jwt.Decode]: the API server takes some malformed
// ones for anonymous callers and calls them authenticated.
func (r *Reviewer) Authenticate(ctx context.Context, token string) (authn.Identity, error) {
	if err := r.outage.refuse(token); err != nil {
		return authn.Identity{}, err
	}
	authn.Waits(ctx)
	release, err := r.acquire(ctx)
	if err != nil {
		return authn.Identity{}, err
	}
	defer release()
	// It may have gone away while we stood in the queue.
	if err := r.outage.refuse(token); err != nil {
		return authn.Identity{}, err
	}
	since := time.Now()
	q := r.callers(token)
	v, failure := r.review(ctx, q, since, true)
	if failure != nil && failure.again {
		select {
		case <-time.After(minPause + rand.N(maxPause-minPause)):
			v, failure = r.review(ctx, q, since, false)
		case <-ctx.Done():
		}
	}
	switch {
	case failure == nil:
		return v.Identity, v.refusal
	case ctx.Err() != nil:
		return authn.Identity{}, ctx.Err()
	default:
		return authn.Identity{}, failure.err()
	}
}

func (r *Reviewer) acquire(ctx context.Context) (release func(), err error) {
	caller := authn.CallerOf(ctx)
	limiter := r.o.New
	if caller.Known {
		limiter = r.o.Known
	}
	release, err = limiter.Acquire(ctx, caller.Addr)
	switch {
	case err == nil:
		return release, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	}
	r.o.Observe(Limited, 0)
	return nil, &authn.Error{Kind: authn.ErrUnavailable, Reason: authn.Overload,
		Detail: "too many reviews at once: " + err.Error(), RetryAfter: queueTime}
}

// A question is a token, and the audiences that it is to be good for; none means
// the API server's own.
type question struct {
	token     string
	audiences []string
}

// callers is the question about a caller's token.
func (r *Reviewer) callers(token string) question { return question{token, r.o.Audiences} }

// A verdict is the API server's word: who it is, or why not.
type verdict struct {
	authn.Identity
	refusal error
}

// review makes one call. Any answer ends an outage, and no answer begins one,
// even before the call is over; unless others got answers since, or retry says
// that there will be a second call where that makes sense.
func (r *Reviewer) review(ctx context.Context, q question, since time.Time, retry bool) (verdict, *failure) {
	begun := time.Now()
	status, failure := r.timed(ctx, q, since)
	took := time.Since(begun)
	if failure != nil {
		if failure.result == Unauthorized {
			r.o.Rejected()
		}
		if ctx.Err() == nil {
			r.o.Observe(failure.result, took)
			if !(retry && failure.again) && !r.alone(ctx, q.token, failure, since) {
				r.outage.begin(failure)
			}
		} // else we were told to stop, which says nothing about the API server
		return verdict{}, failure
	}
	r.outage.end()
	v := r.judge(status)
	if v.refusal == nil {
		r.o.Observe(Yes, took)
	} else {
		r.o.Observe(No, took)
	}
	return v, nil
}

// timed bounds the call, and takes notice of one that hangs.
func (r *Reviewer) timed(ctx context.Context, q question, since time.Time) (*authenticationv1.TokenReviewStatus, *failure) {
	ctx, cancel := context.WithTimeout(ctx, reviewTimeout)
	defer cancel()
	slow := time.AfterFunc(notice, func() {
		if !r.outage.answeredSince(since) {
			r.outage.begin(&failure{result: Timeout, cause: fmt.Errorf("no answer within %v", notice)})
		}
	})
	defer slow.Stop()
	return r.ask(ctx, q)
}

// alone reports whether a failure is that of the one token: the API server has
// answered about another since, or does so now about our own. Otherwise who
// sends a token that it chokes on could have it count as away for everybody.
func (r *Reviewer) alone(ctx context.Context, token string, f *failure, since time.Time) bool {
	if !f.maybeToken() {
		return false
	}
	if r.outage.answeredSince(since) {
		return true
	}
	if _, away := r.outage.away(); away || f.result == Timeout {
		return false // Run asks: nobody is to wait for a second call that hangs
	}
	own := r.own()
	if own.token == "" || own.token == token {
		return false
	}
	_, f = r.review(ctx, own, time.Now(), false)
	return f == nil
}

// own is the question about our own token; without one it has none. The answer
// is of no use to anybody, only that there is one. So the token is asked about
// for what it was made for: for our audiences the service account tokens' own
// check says no, and the API server goes on to what else it may have, an
// authentication webhook that is slow for instance.
func (r *Reviewer) own() (q question) {
	if r.o.OwnToken != nil {
		if own, err := r.o.OwnToken(); err == nil {
			q.token = own
		}
	}
	return q
}

// judge takes a yes for a yes only if it names a real user and an audience of
// ours. Everything else that was answered with 201 is a no, whatever
// status.error says: the API server fills it for plain bad tokens too.
func (r *Reviewer) judge(status *authenticationv1.TokenReviewStatus) verdict {
	if !status.Authenticated {
		return refused("the API server says no: %q", clean(status.Error))
	}
	u := status.User
	if u.Username == "" || u.Username == "system:anonymous" || slices.Contains(u.Groups, "system:unauthenticated") {
		return refused("the API server names an anonymous user")
	}
	var audiences []string
	for _, a := range r.o.Audiences {
		if slices.Contains(status.Audiences, a) {
			audiences = append(audiences, a)
		}
	}
	if len(audiences) == 0 {
		return refused("the API server's yes is not for an audience of ours")
	}
	id := authn.Identity{Subject: u.Username, UID: u.UID, Groups: u.Groups, Audiences: audiences, Standing: authn.Confirmed}
	if len(u.Extra) > 0 {
		id.Extra = make(map[string][]string, len(u.Extra))
		for k, v := range u.Extra {
			id.Extra[k] = v
		}
	}
	return verdict{Identity: id}
}

func refused(format string, args ...any) verdict {
	return verdict{refusal: authn.Refuse(authn.Revoked, format, args...)}
}
