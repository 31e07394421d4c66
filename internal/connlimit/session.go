package connlimit

import (
	"context"
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
	second  time.Time // when free was full; as free, of those who read
	free    int       // frames that may come for nothing
	earned  atomic.Int64
	gone    chan struct{} // closed when the limit has forgotten the connection

	weight atomic.Int64 // written under mu

	mu       sync.Mutex
	streams  streams
	last     uint32 // the stream that began last
	most     uint32 // the last stream that the server is going to look at
	handlers int    // that run
	placed   int    // requests that have a place of package inflight's
	over     bool   // the connection is closed

	// Guarded by the limit's lock.
	large time.Time // when a large header came last; zero: none has
	next  uint32    // the stream that waits for room
	more  int       // the bytes that it is to hold
	since time.Time // when they came
	on    chan bool // tells whether it has room, or the connection is closed; nil: none waits
	late  bool      // it has waited too long
}

// session has c speak HTTP/2.
func (l *Limit) session(c *conn) *session {
	s := &session{conn: c, gone: make(chan struct{}), streams: streams{held: map[uint32]int{}}, most: math.MaxUint32}
	l.mu.Lock()
	defer l.mu.Unlock()
	c.http2.Store(s)
	if c.gone {
		close(s.gone)
	} else {
		l.sessions[s] = struct{}{}
	}
	return s
}

// Placed says that n more of the requests of ctx's connection have a place of
// package inflight's, or fewer where n is negative; and whether their caller was let
// in: from now on the connection's large headers do not wait for strangers'.
func (l *Limit) Placed(ctx context.Context, n int, known bool) {
	if c, ok := ctx.Value(connKey{}).(*conn); ok {
		if known && !c.known.Load() {
			c.known.Store(true)
		}
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

// came looks at what was read. What has us hold more waits until there is room for it,
// and what is of no use until there was time. It reports whether the connection is
// still open.
func (s *session) came(p []byte) bool {
	for f, rest, ok := s.in.next(p); ok; f, rest, ok = s.in.next(rest) {
		if s.idles(f) && !s.pace() {
			return false
		}
		if f.large() {
			s.conn.limit.spare(s)
		}
		if f.kind == frameReset {
			s.end(f.stream)
		} else if stream, bytes, wait := s.brings(f); wait {
			if !s.conn.limit.bring(s, stream, bytes) {
				return false
			}
		} else if bytes > 0 {
			s.hold(stream, bytes)
		}
	}
	return true
}

// went looks at what was written. An answer's end is that of its stream: a server
// resets what is left of the request. Answers to frames go before all else, so what is
// owed is written, or nearly.
func (s *session) went(p []byte) {
	s.end(0)
	for f, rest, ok := s.out.next(p); ok; f, rest, ok = s.out.next(rest) {
		s.earn(f)
		switch {
		case f.ends():
			s.end(f.stream)
		case f.kind == frameGoAway:
			s.leave(f.stream)
		}
	}
}

// brings returns what f has us hold, in bytes, and for which stream; and whether there
// must be room for it. What a body brings has its place where its request has one.
func (s *session) brings(f frame) (stream uint32, bytes int, wait bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	open := s.streams.open(f.stream)
	switch f.kind {
	case frameHeaders:
		if !open && !s.isNew(f.stream) {
			return 0, 0, false
		}
		return f.stream, f.header(), s.streams.heavier(f.stream, f.header())
	case frameData:
		if open {
			return f.stream, f.length, s.placed == 0 && s.streams.heavier(f.stream, f.length)
		}
	case framePriority, frameSettings, framePing, frameWindow:
	default:
		return 0, 0, false
	}
	return 0, answerCost, s.streams.heavier(0, answerCost)
}

// isNew reports whether a header of that stream begins a request. It is a trailer's
// where the stream is not new, an error where its number is even (RFC 9113, section
// 5.1.1), and nothing to a server that is leaving. The caller holds the lock.
func (s *session) isNew(stream uint32) bool {
	return stream > s.last && stream%2 == 1 && stream <= s.most
}

// holds reports whether a stream is open.
func (s *session) holds(stream uint32) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.streams.open(stream)
}

// hold has a stream hold more, unless it has ended meanwhile.
func (s *session) hold(stream uint32, bytes int) {
	s.mu.Lock()
	if !s.over && (s.streams.open(stream) || s.isNew(stream) || stream == 0) {
		s.streams.add(stream, bytes)
		s.last = max(s.last, stream)
	}
	s.unlock()
}

func (s *session) end(stream uint32) {
	s.mu.Lock()
	s.streams.end(stream)
	s.unlock()
}

// leave ends the streams behind the last one that the server is going to look at.
func (s *session) leave(last uint32) {
	s.mu.Lock()
	s.most = last
	for stream := range s.streams.held {
		if stream > last {
			s.streams.end(stream)
		}
	}
	s.unlock()
}

// close ends all streams.
func (s *session) close() {
	s.mu.Lock()
	s.over = true
	s.streams = streams{}
	s.unlock()
}

// unlock ends a change.
func (s *session) unlock() {
	weight := s.streams.without(s.placed) + max(0, s.handlers-s.placed)
	more := weight - int(s.weight.Load())
	s.weight.Store(int64(weight))
	s.mu.Unlock()
	s.conn.limit.weigh(s.conn, more)
}

// idle reports whether no request is under way.
func (s *session) idle() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.handlers == 0 && s.streams.all == weightOf(0, s.streams.held[0])
}

// untaken is what answers weigh that wait to be written, or requests that wait for their
// handlers.
func (s *session) untaken() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.streams.without(s.handlers)
}
