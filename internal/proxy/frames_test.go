package proxy

import (
	"encoding/binary"
	"testing"
)

// A boundary is where somebody who has the whole stream sees one, however the
// stream is cut into pieces.
func FuzzFrames(f *testing.F) {
	f.Add([]byte("\x81\x00\x82\x7e\x00\x7e"+string(make([]byte, 126))+"\x88\x02\x03\xe8"), []byte{1, 2}, false)
	f.Add([]byte("\x00\x00\x00\x00\x01a\x01\x00\x00\x00\x00"), []byte{3}, true)
	f.Fuzz(func(t *testing.T, stream, cuts []byte, grpc bool) {
		need, size := socketHead, socketFrame
		if grpc {
			need, size = grpcHead, grpcMessage
		}
		ends := map[int]bool{0: true}
		for at := 0; at < len(stream); {
			n := size(stream[at:])
			if n == 0 {
				break
			}
			at += n
			ends[at] = true
		}
		fr := frames{need: need}
		for at, i := 0, 0; at < len(stream); i++ {
			n := len(stream) - at
			if len(cuts) > 0 {
				n = min(n, 1+int(cuts[i%len(cuts)]))
			}
			fr.pass(stream[at : at+n])
			if at += n; fr.boundary() != ends[at] {
				t.Fatalf("%q, cut by %v: at byte %d boundary is %v", stream, cuts, at, fr.boundary())
			}
		}
		// And next stops at each of them.
		fr = frames{need: need}
		for at, n := 0, size(stream); n > 0; n = size(stream[at:]) {
			if got := fr.next(stream[at:]); got != n {
				t.Fatalf("%q: a frame of %d bytes, want %d", stream[at:], got, n)
			}
			at += n
		}
	})
}

// socketFrame returns how many bytes the frame has that s begins with, and 0 if
// it is not all there or is none (RFC 6455 section 5.2; servers send no mask).
func socketFrame(s []byte) int {
	switch {
	case len(s) < 2:
		return 0
	case s[1] < 126:
		return whole(s, 2, uint64(s[1]))
	case s[1] == 126 && len(s) >= 4:
		return whole(s, 4, uint64(binary.BigEndian.Uint16(s[2:])))
	case s[1] == 127 && len(s) >= 10:
		return whole(s, 10, binary.BigEndian.Uint64(s[2:]))
	}
	return 0
}

// grpcMessage does that for a message (gRPC over HTTP/2, Length-Prefixed-Message).
func grpcMessage(s []byte) int {
	if len(s) < 5 {
		return 0
	}
	return whole(s, 5, uint64(binary.BigEndian.Uint32(s[1:])))
}

func whole(s []byte, head int, payload uint64) int {
	if payload > uint64(len(s)-head) {
		return 0
	}
	return head + int(payload)
}
