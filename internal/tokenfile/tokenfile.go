// Package tokenfile follows our own projected service account token: the
// current one, its age and its changes.
//
// The kubelet replaces the file long before the token expires. A token is in
// force for the next outgoing call within a second, and while the file is
// missing, empty, torn or unreadable the last good one stays.
//
// No token is ever in a log line, an error or a [Status].
package tokenfile

import (
	"context"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"sallyport/internal/authn"
	"sallyport/internal/authn/jwt"
	"sallyport/internal/filewatch"
)

// Options say which file to follow, and who wants to know.
type Options struct {
	// Path is read anew each time, so that a rotated link is followed.
	Path string
	// Log gets one line for each rotation, each new problem and its end. Nil
	// means no log.
	Log *zap.Logger
	// Hints make a change known sooner than the next poll; nil means polling
	// alone. See [filewatch.Watcher.Hints].
	Hints <-chan struct{}
	// OnToken, if not nil, is called with every good token, the first one too,
	// before Token returns it. Open and Run call it, and never both at once.
	OnToken func(*jwt.Token)
}

// A Source is a token file. Its methods are safe for concurrent use, but for
// Run, which is to be called once.
type Source struct {
	o    Options
	wake chan struct{}
	// read is filewatch.Read; tests put failures in its place.
	read func(path string, limit int) ([]byte, error)
	// now holds what is known, published at once. Open and then Run alone
	// store it.
	now    atomic.Pointer[snapshot]
	forced atomic.Int64 // when Reread last asked, in Unix nanoseconds

	trouble filewatch.Trouble
	told    State
}

// maxPast is how many rotations are remembered: enough to see whether they are
// regular.
const maxPast = 10

// snapshot is never changed after Store.
type snapshot struct {
	raw       string
	token     *jwt.Token // nil until there was a good one
	loaded    time.Time
	past      [maxPast]time.Time // of those before it, the last first
	rotations uint64
	errors    uint64
	problem   string
}

// Open reads the file for the first time. A file that is missing or not good
// yet is no error, as the kubelet may still be writing it: it is logged, and
// Run goes on looking.
func Open(o Options) (*Source, error) {
	return open(o, filewatch.Read)
}

func open(o Options, read func(string, int) ([]byte, error)) (*Source, error) {
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	o.Log = o.Log.With(zap.String("file", authn.Redact(o.Path)))
	s := &Source{o: o, read: read, wake: make(chan struct{}, 1), told: Fresh}
	s.now.Store(&snapshot{})
	s.look()
	return s, nil
}

// Run follows the file until ctx is done, and then returns nil.
func (s *Source) Run(ctx context.Context) error {
	return filewatch.Poll(ctx, s.look, s.o.Hints, s.wake)
}

// Token returns the current token. It may have expired: the API server decides
// about that. The error is an outage with the reason OwnToken, as long as there
// never was a good token.
func (s *Source) Token() (string, error) {
	now := s.now.Load()
	if now.token == nil {
		return "", authn.Unavailable(authn.OwnToken, "%s", now.problem)
	}
	return now.raw, nil
}

// rereadEvery bounds what a stream of 401 answers can cause.
const rereadEvery = time.Second

// Reread asks Run to read the file soon, as is right when the API server
// refused our token. It does not wait, and asks at most once a second.
func (s *Source) Reread() {
	now, last := time.Now().UnixNano(), s.forced.Load()
	if now-last < int64(rereadEvery) || !s.forced.CompareAndSwap(last, now) {
		return
	}
	select {
	case s.wake <- struct{}{}:
	default:
	}
}
