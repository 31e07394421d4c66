package connlimit

import "encoding/binary"

// frameHeader is how long a frame's header is: its payload's length, its type, its
// flags and its stream (RFC 9113, section 4.1).
const frameHeader = 9

// The frames that streams begin and end with, and the flag (RFC 9113, section 6).
const (
	frameData    = 0x0
	frameHeaders = 0x1
	frameReset   = 0x3
	endStream    = 0x1
)

// A frame is what the header of one says.
type frame struct {
	kind, flags byte
	stream      uint32
}

// ends reports whether the frame is the last one of its sender on its stream.
func (f frame) ends() bool {
	return f.kind == frameReset || (f.kind == frameData || f.kind == frameHeaders) && f.flags&endStream != 0
}

// frames finds the frames in what goes one way on a connection, in parts of any size.
type frames struct {
	header  [frameHeader]byte
	have    int // of the header
	payload int // of the frame before, which is to come
}

// next returns the first frame whose header is complete with p, and what of p comes
// behind that header. It reports whether there is one; where there is none, it has
// taken all of p.
func (f *frames) next(p []byte) (found frame, rest []byte, ok bool) {
	n := min(f.payload, len(p))
	f.payload -= n
	p = p[n:]
	n = copy(f.header[f.have:], p)
	f.have += n
	if f.have < frameHeader {
		return frame{}, nil, false
	}
	f.have = 0
	f.payload = int(binary.BigEndian.Uint32(f.header[:]) >> 8)
	stream := binary.BigEndian.Uint32(f.header[5:]) &^ (1 << 31) // a reserved bit
	return frame{kind: f.header[3], flags: f.header[4], stream: stream}, p[n:], true
}
