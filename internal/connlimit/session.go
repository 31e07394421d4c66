package connlimit

import (
	"context"
	"maps"
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// A session is what is under way on an HTTP/2 connection. It is told by the frames,
// as many a request is answered by the server alone, and no handler sees it.
type session struct {
	conn *conn
	// in is of those who read from the connection, and out of those who write to it:
	// one at a time.
	in, out frames

	weight atomic.Int64 // written under mu

	mu       sync.Mutex
	open     map[uint32]struct{} // streams whose request has begun, and whose answer has not ended
	last     uint32              // the stream that began last
	most     uint32              // the last stream that the server is going to look at
	handlers int                 // that run
	placed   int                 // requests that have a place of package inflight's
	over     bool                // the connection is closed

	// Guarded by the limit's lock.
	next  uint32    // the stream that waits for room
	since time.Time // when it came
	on    chan bool // tells whether it has room, or the connection is closed; nil: none waits
	late  bool      // it has waited too long
}

// session has c speak HTTP/2.
func (l *Limit) session(c *conn) *session {
	s := &session{conn: c, open: map[uint32]struct{}{}, most: math.MaxUint32}
	l.mu.Lock()
	defer l.mu.Unlock()
	c.http2.Store(s)
	if !c.gone {
		l.sessions[s] = struct{}{}
	}
	return s
}

// Placed says that n more of the requests of ctx's connection have a place of
// package inflight's, or fewer where n is negative.
func (l *Limit) Placed(ctx context.Context, n int) {
	if c, ok := ctx.Value(connKey{}).(*conn); ok {
		if s := c.http2.Load(); s != nil {
			s.place(n)
		}
	}
}

func (s *session) place(n int) {
	s.mu.Lock()
	s.placed += n
	s.unlock()
}

// handle counts n more handlers that run.
func (s *session) handle(n int) {
	s.mu.Lock()
	s.handlers += n
	s.unlock()
}

// came looks at what was read. Where a stream begins, it waits until there is room
// for it. It reports whether the connection is still open.
func (s *session) came(p []byte) bool {
	for f, rest, ok := s.in.next(p); ok; f, rest, ok = s.in.next(rest) {
		switch {
		case f.kind == frameHeaders && s.begins(f.stream):
			if !s.conn.limit.bring(s, f.stream) {
				return false
			}
		case f.kind == frameReset:
			s.end(f.stream)
		}
	}
	return true
}

// went looks at what was written. An answer's end is that of its stream: a server
// resets what is left of the request.
func (s *session) went(p []byte) {
	for f, rest, ok := s.out.next(p); ok; f, rest, ok = s.out.next(rest) {
		switch {
		case f.ends():
			s.end(f.stream)
		case f.kind == frameGoAway:
			s.leave(f.stream)
		}
	}
}

// begins reports whether a header of that stream is a request's. It is a trailer's
// where the stream is not new, an error where its number is even (RFC 9113, section
// 5.1.1), and nothing to a server that is leaving.
func (s *session) begins(stream uint32) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return stream > s.last && stream%2 == 1 && stream <= s.most
}

func (s *session) begin(stream uint32) {
	s.mu.Lock()
	s.last = stream
	if !s.over && stream <= s.most {
		s.open[stream] = struct{}{}
	}
	s.unlock()
}

func (s *session) end(stream uint32) {
	s.mu.Lock()
	delete(s.open, stream)
	s.unlock()
}

// leave ends the streams behind the last one that the server is going to look at.
func (s *session) leave(last uint32) {
	s.mu.Lock()
	s.most = last
	maps.DeleteFunc(s.open, func(stream uint32, _ struct{}) bool { return stream > last })
	s.unlock()
}

// close ends all streams.
func (s *session) close() {
	s.mu.Lock()
	s.over = true
	clear(s.open)
	s.unlock()
}

// unlock ends a change.
func (s *session) unlock() {
	weight := max(0, len(s.open)+s.handlers-running*s.placed)
	more := weight - int(s.weight.Load())
	s.weight.Store(int64(weight))
	s.mu.Unlock()
	s.conn.limit.weigh(s.conn, more)
}

// untaken is how many answers wait to be written, or requests for their handlers.
func (s *session) untaken() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.open) - s.handlers
}
