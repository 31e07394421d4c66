package proxy

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"go.uber.org/zap"

	"sallyport/internal/authn"
)

// sweep ends what has expired, cuts what has not come to its end in time, and
// has the tokens looked at whose turn it is. It waits for nobody.
func (s *Streams) sweep(ctx context.Context, now time.Time) {
	var expired, late []*exchange
	due := map[string][]*exchange{}
	s.mu.Lock()
	for x := s.oldest; x != nil; x = x.flight.next {
		f := &x.flight
		switch e := f.ending.Load(); {
		case e != nil:
			if now.Sub(e.at) >= s.patience {
				late = append(late, x)
			}
		case f.token == "":
		case !now.Before(x.identity.Expires):
			expired = append(expired, x)
		case !f.looking && !now.Before(f.due):
			f.looking = true
			due[f.token] = append(due[f.token], x)
		}
	}
	for _, group := range due {
		s.queue = append(s.queue, group)
	}
	start := min(maxLooks-s.workers, len(s.queue))
	s.workers += start
	s.mu.Unlock()
	for range start {
		go s.work(ctx)
	}
	for _, x := range expired {
		// After its token's end nobody can say any more whether it was revoked
		// too: any other answer goes on.
		if x.isStream() {
			x.end(newEnding(Expired, authn.Expired, now))
		}
	}
	for _, x := range late {
		x.cut(now)
	}
}

// work looks until nothing is left to look at.
func (s *Streams) work(ctx context.Context) {
	for {
		group, token, peer, ok := s.next()
		if !ok {
			return
		}
		id, err := authn.Identity{}, error(nil)
		if token != "" {
			id, err = s.look(ctx, token, peer)
		}
		for _, x := range s.judge(group, id, err) {
			x.end(newEnding(Revoked, authn.ReasonOf(err), time.Now()))
		}
	}
}

// next takes a group from the queue. The token is "" if all of it have left. Not
// ok ends the worker.
func (s *Streams) next() (group []*exchange, token string, peer netip.Addr, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue) == 0 {
		s.queue = nil
		s.workers--
		return nil, "", peer, false
	}
	group, s.queue[0] = s.queue[0], nil
	s.queue = s.queue[1:]
	for _, x := range group {
		if x.flight.token != "" {
			return group, x.flight.token, x.peer, true
		}
	}
	return group, "", peer, true
}

// look asks about a token once more.
func (s *Streams) look(ctx context.Context, token string, peer netip.Addr) (id authn.Identity, err error) {
	defer func() {
		// As for a request, this must not end the gate; see finish.
		if v := recover(); v != nil {
			s.o.Log.Error("a look at a stream panicked: please report this", zap.String("panic", describePanic(v)))
			err = &failure{reason: authn.Internal, detail: "panic"}
		}
	}()
	ctx, cancel := context.WithTimeout(authn.WithCaller(ctx, authn.Caller{Addr: peer, Known: true}), lookTimeout)
	defer cancel()
	return s.o.Authenticator.Authenticate(ctx, token)
}

// judge returns those of the group that have to end.
//
// A no of the API server counts at the second time alone, if it had said yes
// before: it also says no when it could not look. What is refused here (the key
// was withdrawn) is refused. When nobody can look, nobody ends: an outage is not
// the stream's fault, and its token's expiry bounds it.
func (s *Streams) judge(group []*exchange, id authn.Identity, err error) (revoked []*exchange) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range group {
		f := &x.flight
		f.looking, f.due = false, now.Add(s.every)
		switch {
		case f.token == "": // it has left
		case err == nil:
			f.doubted = false
			f.confirmed = f.confirmed || id.Standing == authn.Confirmed
		case !revokes(err):
		case f.confirmed && !f.doubted && apiServerSays(authn.ReasonOf(err)):
			f.doubted, f.due = true, now.Add(s.second)
		default:
			revoked = append(revoked, x)
		}
	}
	return revoked
}

// revokes reports whether err takes a good token back. Its expiry is seen to by
// sweep, and a token that was good and is not valid yet tells of a clock.
func revokes(err error) bool {
	switch authn.ReasonOf(err) {
	case authn.Expired, authn.Stale, authn.NotYetValid:
		return false
	}
	return errors.Is(err, authn.ErrUnauthenticated)
}

// apiServerSays reports whether a token that was confirmed before can be refused
// for r by the API server alone. What the token says of its audience has not
// changed, nor have ours.
func apiServerSays(r authn.Reason) bool {
	return r == authn.Revoked || r == authn.Mismatch || r == authn.Audience
}
