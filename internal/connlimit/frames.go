package connlimit

import "encoding/binary"

// frameHeader is how long a frame's header is: its payload's length, its type, its
// flags and its stream (RFC 9113, section 4.1).
const frameHeader = 9

// The frames that somebody has to remember or to answer, and their flags (RFC 9113,
// section 6).
const (
	frameData         = 0x0
	frameHeaders      = 0x1
	framePriority     = 0x2
	frameReset        = 0x3
	frameSettings     = 0x4
	framePing         = 0x6
	frameGoAway       = 0x7
	frameWindow       = 0x8
	frameContinuation = 0x9

	endStream  = 0x1
	endHeaders = 0x4
)

// A frame is what the header of one says. The stream of GOAWAY is the last one that
// its sender is going to look at, which its payload begins with (RFC 9113, section 6.8).
type frame struct {
	length      int // of the payload
	kind, flags byte
	stream      uint32
}

// header returns what the header counts for that the frame begins, in bytes. One that
// goes on in other frames is long.
func (f frame) header() int {
	if f.flags&endHeaders == 0 {
		return most * unit
	}
	return f.length * headerCost
}

// large reports whether the frame begins a large header.
func (f frame) large() bool {
	return f.kind == frameHeaders && (f.flags&endHeaders == 0 || f.length > largeHeader)
}

// ends reports whether the frame is the last one of its sender on its stream.
func (f frame) ends() bool {
	return f.kind == frameReset || (f.kind == frameData || f.kind == frameHeaders) && f.flags&endStream != 0
}

// frames finds the frames in what goes one way on a connection, in parts of any size.
type frames struct {
	header  [frameHeader + 4]byte
	have    int // of the header, and what of GOAWAY's payload is looked at
	payload int // of the frame before, which is to come
}

// next returns the first frame whose header is complete with p, and what of p comes
// behind that. It reports whether there is one; where there is none, it has taken all
// of p.
func (f *frames) next(p []byte) (found frame, rest []byte, ok bool) {
	n := min(f.payload, len(p))
	f.payload -= n
	p = p[n:]
	if p = f.take(p, frameHeader); f.have < frameHeader {
		return frame{}, nil, false
	}
	length := int(binary.BigEndian.Uint32(f.header[:]) >> 8)
	found = frame{length: length, kind: f.header[3], flags: f.header[4]}
	want := frameHeader
	if found.kind == frameGoAway && length >= 4 {
		want += 4
		if p = f.take(p, want); f.have < want {
			return frame{}, nil, false
		}
	}
	found.stream = binary.BigEndian.Uint32(f.header[want-4:]) &^ (1 << 31) // a reserved bit
	f.have, f.payload = 0, length-(want-frameHeader)
	return found, p, true
}

// take has the header grow to a length, as far as p reaches, and returns the rest.
func (f *frames) take(p []byte, length int) []byte {
	n := copy(f.header[min(f.have, length):length], p)
	f.have += n
	return p[n:]
}
