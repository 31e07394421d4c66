package tokenfile

import (
	"time"

	"go.uber.org/zap"

	"sallyport/internal/authn/jwt"
)

// A State says how well the kubelet keeps our token fresh.
type State string

// The states.
const (
	// Missing means that there never was a good token.
	Missing State = "missing"
	// Fresh means that the kubelet need not have replaced the token yet. A
	// token that never expires is always fresh.
	Fresh State = "fresh"
	// Late means that the kubelet should have replaced the token by now.
	Late State = "late"
	// Expired means that the token is past the earlier of exp and warnafter.
	// The API server takes one that is past warnafter alone until exp, which
	// may be a year later: whoever asks whether the token still works looks at
	// Status.Expires.
	Expired State = "expired"
)

// A Status is what may be told of the token. A time that is not known is zero.
type Status struct {
	State     State
	Loaded    time.Time // when the current token was read for the first time
	Issued    time.Time // iat
	Expires   time.Time // exp; zero means never
	WarnAfter time.Time // kubernetes.io.warnafter, which extended tokens have
	// Renewal is when the kubelet should ask for the next; zero where it need not.
	Renewal time.Time
	// Past is when those before it were read, the last ten at most, the oldest
	// first.
	Past []time.Time
	// Rotations counts the good tokens after the first.
	Rotations uint64
	// ReadErrors counts the reads that found no good token, two a second while
	// a problem lasts.
	ReadErrors uint64
	// LastError is the problem as it stands, "" where the last read was good.
	LastError string
}

// Status returns the status now.
func (s *Source) Status() Status {
	now := s.now.Load()
	st := Status{
		State:      stateOf(now.token, time.Now()),
		Loaded:     now.loaded,
		Rotations:  now.rotations,
		ReadErrors: now.errors,
		LastError:  now.problem,
	}
	if now.token != nil {
		c := &now.token.Claims
		st.Issued, st.Expires, st.WarnAfter, st.Renewal = c.IssuedAt, c.Expires, c.WarnAfter(), c.Renewal()
	}
	for _, at := range now.past {
		if !at.IsZero() {
			st.Past = append([]time.Time{at}, st.Past...)
		}
	}
	return st
}

// stateOf returns the state of token at now.
func stateOf(token *jwt.Token, now time.Time) State {
	if token == nil {
		return Missing
	}
	end, renewal := token.Claims.End(), token.Claims.Renewal()
	switch {
	case end.IsZero():
		return Fresh
	case !now.Before(end):
		return Expired
	case renewal.IsZero():
		// Its lifetime is not known. The kubelet's tokens all have an iat.
		return Fresh
	case now.After(renewal.Add(jwt.RenewalSlack)):
		return Late
	}
	return Fresh
}

// tell logs once that the token became late or expired, and once that it is
// fresh again: the kubelet does not.
func (s *Source) tell() {
	st := s.Status()
	if st.State == s.told || st.State == Missing {
		return
	}
	s.told = st.State
	fields := []zap.Field{zap.Time("issued", st.Issued), zap.Time("expires", st.Expires)}
	switch st.State {
	case Late:
		s.o.Log.Warn("own token is late: the kubelet should have replaced it by now", fields...)
	case Expired:
		s.o.Log.Error("own token has outlived its lifetime and was not replaced: look at the kubelet, "+
			"and at the other sources of its volume", fields...)
	default:
		s.o.Log.Info("own token is fresh again", fields...)
	}
}
