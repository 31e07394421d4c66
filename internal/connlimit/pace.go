package connlimit

import "time"

// A frame that brings no request on, such as a PING, costs two goroutines of net/http's
// some microseconds, and these hand a processor to each other: while 500 connections
// send nothing else, everybody else waits for a second. So a connection may send a few,
// and as many as its answers cause. What is more is read later: nobody is cut off for it.
const (
	// freeFrames may come in a second. A browser begins with ten, and gRPC asks once in
	// ten seconds whether we are still there. From 500 connections that is 50,000, a
	// seventh of what two processors can read.
	freeFrames = 100
	// earnedFrames may come for each frame of an answer, and one more for each
	// earnedBytes of it. Where the frames are small, clients open two windows for each,
	// and gRPC's send a PING; Go's open two for each 4 KiB.
	earnedFrames = 4
	earnedBytes  = 1 << 10
	// earlyFrames may come of a known caller behind an answer that ends before its
	// request has: what is left of a body is still on its way then, and of no stream.
	earlyFrames = 256
	// mostEarned is what may be saved up.
	mostEarned = 10_000
)

// idles reports whether f, which comes, brings no request on.
func (s *session) idles(f frame) bool {
	switch f.kind {
	case frameHeaders:
		return false
	case frameContinuation:
		return f.length == 0
	case frameData:
		return f.length == 0 && f.flags&endStream == 0 || !s.holds(f.stream)
	case frameReset:
		return !s.holds(f.stream)
	}
	return true
}

// earn counts f, which went.
func (s *session) earn(f frame) {
	n := 0
	switch f.kind {
	case frameReset: // of what is left of a request
		if s.conn.known.Load() && s.holds(f.stream) {
			n = earlyFrames
		}
	case frameHeaders, frameData:
		n = earnedFrames + f.length/earnedBytes
	}
	if n > 0 {
		s.earned.Store(min(s.earned.Load()+int64(n), mostEarned))
	}
}

// pace waits until one more frame may come that brings no request on. It reports whether
// the connection is still open.
func (s *session) pace() bool {
	if s.earned.Load() > 0 {
		s.earned.Add(-1)
		return true
	}
	now := time.Now()
	if now.Sub(s.second) >= time.Second {
		s.second, s.free = now, freeFrames
	}
	if s.free == 0 {
		select {
		case <-s.gone:
			return false
		case now = <-time.After(s.second.Add(time.Second).Sub(now)):
		}
		s.second, s.free = now, freeFrames
	}
	s.free--
	return true
}
