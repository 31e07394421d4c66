package proxy

import "encoding/binary"

// frames finds the boundaries in a stream of frames, each a head that tells the
// payload's length, and the payload.
type frames struct {
	// need returns the length of the head that begins so, as far as these bytes
	// tell, and the payload's once they are all. Not ok: there are no frames.
	need func(head []byte) (length int, payload uint64, ok bool)

	head [10]byte // the longest
	have int      // bytes of the head
	left uint64   // bytes of the payload that are to come
	lost bool     // it is something else
}

// boundary reports whether a frame is over and the next has not begun.
func (f *frames) boundary() bool { return f.have == 0 && f.left == 0 && !f.lost }

// pass follows what was sent.
func (f *frames) pass(p []byte) {
	for len(p) > 0 {
		p = p[f.next(p):]
	}
}

// next follows p to the end of the frame, or as far as p goes, and returns how
// many bytes that were.
func (f *frames) next(p []byte) (n int) {
	for f.left == 0 && n < len(p) && !f.lost {
		f.head[f.have] = p[n]
		f.have++
		n++
		length, payload, ok := f.need(f.head[:f.have])
		if !ok {
			f.lost = true
		} else if f.have == length {
			f.have, f.left = 0, payload
			if payload == 0 {
				return n
			}
		}
	}
	if f.lost {
		return len(p)
	}
	take := min(f.left, uint64(len(p)-n))
	f.left -= take
	return n + int(take)
}

// socketHead is that of RFC 6455 section 5.2, as servers send it: a frame with
// a mask is none.
func socketHead(head []byte) (length int, payload uint64, ok bool) {
	if len(head) < 2 {
		return 2, 0, true
	}
	switch short := head[1]; {
	case short < 126:
		return 2, uint64(short), true
	case short == 126:
		length = 4
	case short == 127:
		length = 10
	default:
		return 0, 0, false
	}
	if len(head) < length {
		return length, 0, true
	}
	if length == 4 {
		return 4, uint64(binary.BigEndian.Uint16(head[2:])), true
	}
	payload = binary.BigEndian.Uint64(head[2:])
	return 10, payload, payload < 1<<63
}

// grpcHead is that of gRPC's length-prefixed messages: a byte that says whether
// it is compressed, and four of length (gRPC over HTTP/2, Requests).
func grpcHead(head []byte) (length int, payload uint64, ok bool) {
	if len(head) < 5 {
		return 5, 0, true
	}
	return 5, uint64(binary.BigEndian.Uint32(head[1:])), true
}
