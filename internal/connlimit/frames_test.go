package connlimit

import (
	"bytes"
	"encoding/binary"
	"io"
	"slices"
	"testing"

	"golang.org/x/net/http2"
)

// headers returns the headers of all frames in what comes in pieces of a size.
func headers(stream []byte, size int) (all []frame) {
	var f frames
	for piece := range slices.Chunk(stream, size) {
		for found, rest, ok := f.next(piece); ok; found, rest, ok = f.next(rest) {
			all = append(all, found)
		}
	}
	return all
}

func TestEnds(t *testing.T) {
	for _, tc := range []struct {
		frame frame
		ends  bool
	}{
		{frame{kind: frameHeaders}, false},
		{frame{kind: frameHeaders, flags: endStream}, true},
		{frame{kind: frameHeaders, flags: 0x4 | endStream}, true}, // END_HEADERS too
		{frame{kind: frameData}, false},
		{frame{kind: frameData, flags: endStream}, true},
		{frame{kind: frameReset}, true},
		{frame{kind: 0x4, flags: 0x1}, false}, // SETTINGS, with ACK
		{frame{kind: 0x6, flags: 0x1}, false}, // PING, with ACK
		{frame{kind: 0x8}, false},             // WINDOW_UPDATE
	} {
		if got := tc.frame.ends(); got != tc.ends {
			t.Errorf("%+v: ends is %v", tc.frame, got)
		}
	}
}

// FuzzHTTP2Frames holds frames against those that golang.org/x/net/http2 sees, in
// whatever pieces they come.
func FuzzHTTP2Frames(f *testing.F) {
	var stream bytes.Buffer
	w := http2.NewFramer(&stream, nil)
	w.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 7})
	w.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte("\x82\x86\x84"), EndHeaders: true})
	w.WriteData(1, false, []byte("some of it"))
	w.WriteData(1, true, nil)
	w.WriteHeaders(http2.HeadersFrameParam{StreamID: 1<<31 - 1, BlockFragment: []byte("\x82"), EndStream: true})
	w.WriteContinuation(1<<31-1, true, []byte("\x86\x84"))
	w.WriteRSTStream(3, http2.ErrCodeCancel)
	w.WriteGoAway(1<<31-3, http2.ErrCodeNo, []byte("bye"))
	w.WriteRawFrame(http2.FrameGoAway, 0, 0, []byte{0, 0, 3}) // too short
	w.WriteRawFrame(0xee, 0xff, 5, make([]byte, 300))
	f.Add(stream.Bytes(), uint16(1))
	f.Add(stream.Bytes(), uint16(9))
	f.Add(stream.Bytes(), uint16(10))
	f.Add(stream.Bytes()[:len(stream.Bytes())-200], uint16(4096))
	f.Add([]byte("\x00\x00\x00\x01\x01\xff\xff\xff\xff"), uint16(5)) // with the reserved bit
	f.Fuzz(func(t *testing.T, stream []byte, size uint16) {
		got := headers(stream, int(size)+1)
		var want []frame
		for r := bytes.NewReader(stream); ; {
			h, err := http2.ReadFrameHeader(r)
			if err != nil {
				break
			}
			rest := int64(h.Length)
			if last := make([]byte, 4); h.Type == http2.FrameGoAway && rest >= 4 {
				if _, err := io.ReadFull(r, last); err != nil {
					break
				}
				h.StreamID, rest = binary.BigEndian.Uint32(last)&(1<<31-1), rest-4
			}
			want = append(want, frame{int(h.Length), byte(h.Type), byte(h.Flags), h.StreamID})
			if n, _ := io.CopyN(io.Discard, r, rest); n < rest {
				break
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("in pieces of %d: %+v, want %+v", int(size)+1, got, want)
		}
	})
}
