package connlimit

// What a request costs beside its stream and its handler is told by its frames: how
// long its header is, and how much of its body came. Both are weighed, as 256 headers of
// many short lines are 80 MB, and 256 bodies that nobody reads 64.
const (
	// unit is how many bytes weigh as much as a stream does.
	unit = 8 << 10
	// most is what a stream weighs at most: a body of 256 KiB, which is all that a
	// connection may send before somebody reads it, or a header of 64 KiB.
	most = 32
	// headerCost is what a byte of a header counts for. A line of five bytes that has
	// only a name is 170 in net/http's map; one that was sent before is a byte or two,
	// and 32. A token counts for two units.
	headerCost = 16
	// answerCost is an answer to a frame that belongs to no stream that is open, such as
	// a PING, in the queue of those that are to be written. net/http has 10,000 of them
	// at most.
	answerCost = 128
)

// streams are those of a connection that are open: their request has begun, and their
// answer has not ended. Stream 0 has what the connection itself owes.
type streams struct {
	held map[uint32]int   // in bytes
	of   [most + 1]uint32 // how many weigh so much
	all  int              // what they weigh
}

// weightOf returns what a stream weighs that holds so much.
func weightOf(stream uint32, held int) int {
	if stream == 0 {
		return min(held/unit, most)
	}
	return min(1+held/unit, most)
}

// heavier reports whether a stream weighs more with so many bytes more.
func (s *streams) heavier(stream uint32, bytes int) bool {
	held := s.held[stream]
	return !s.open(stream) && stream > 0 || weightOf(stream, held+bytes) > weightOf(stream, held)
}

// open reports whether a stream is open. That of the connection's own is none.
func (s *streams) open(stream uint32) bool {
	_, open := s.held[stream]
	return open && stream > 0
}

// add has a stream hold more, and opens it if it is not.
func (s *streams) add(stream uint32, bytes int) {
	held := s.held[stream]
	s.end(stream)
	held = min(held+bytes, most*unit)
	s.held[stream] = held
	s.count(weightOf(stream, held), 1)
}

func (s *streams) end(stream uint32) {
	if held, open := s.held[stream]; open {
		delete(s.held, stream)
		s.count(weightOf(stream, held), -1)
	}
}

func (s *streams) count(weight, n int) {
	s.of[weight] += uint32(n)
	s.all += n * weight
}

// without returns what all weigh but the n heaviest.
func (s *streams) without(n int) int {
	left := s.all
	for weight := most; weight > 0 && n > 0; weight-- {
		of := min(n, int(s.of[weight]))
		left -= of * weight
		n -= of
	}
	return left
}
