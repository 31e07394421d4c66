package load

import (
	"bytes"
	"context"
	"net"
	"strconv"
	"sync"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// A session is one HTTP/2 connection (RFC 9113) on which several
// requests are always under way.
type session struct {
	c     net.Conn
	tally Tally

	mu     sync.Mutex // guards what follows, and writing
	framer *http2.Framer
	open   map[uint32]bool
	status map[uint32]int
	last   uint32 // the highest stream that will be answered
	room   *sync.Cond
	over   bool
}

// endless is a window that no flood's answers fill.
const endless = 1<<31 - 1

// session sends requests, as many at a time as f says, until the other side asks
// for another connection or ctx ends.
func (f *Flood) session(ctx context.Context, next func() []byte, p *pace) Tally {
	secure := f.TLS.Clone()
	if secure != nil {
		secure.NextProtos = []string{http2.NextProtoTLS}
	}
	c, err := dial(ctx, f.From, f.To, secure)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		sleep(ctx, redial)
		return Tally{Cut: 1}
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	s := &session{c: c.Conn, tally: Tally{}, framer: http2.NewFramer(c.Conn, c.Conn), last: endless,
		open: map[uint32]bool{}, status: map[uint32]int{}}
	s.room = sync.NewCond(&s.mu)
	s.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	read := make(chan struct{})
	if s.begin() == nil {
		go func() { defer close(read); s.read() }()
		s.write(ctx, f, next, p)
		<-read
	}
	if n := len(s.open); n > 0 && ctx.Err() == nil {
		s.tally[Cut] += n
	}
	return s.tally
}

func (s *session) begin() error {
	if _, err := s.c.Write([]byte(http2.ClientPreface)); err != nil {
		return err
	}
	if err := s.framer.WriteSettings(http2.Setting{ID: http2.SettingHeaderTableSize, Val: 0}); err != nil {
		return err
	}
	return s.framer.WriteWindowUpdate(0, endless-65535)
}

// write opens a stream wherever there is room for one.
func (s *session) write(ctx context.Context, f *Flood, next func() []byte, p *pace) {
	var block bytes.Buffer
	enc := hpack.NewEncoder(&block)
	enc.SetMaxDynamicTableSizeLimit(0)
	for id := uint32(1); p.wait(ctx); id += 2 {
		block.Reset()
		for _, h := range [][2]string{{":method", "GET"}, {":scheme", "http"}, {":authority", "app"}, {":path", f.Path}} {
			_ = enc.WriteField(hpack.HeaderField{Name: h[0], Value: h[1]}) // into memory
		}
		if token := next(); len(token) > 0 {
			_ = enc.WriteField(hpack.HeaderField{Name: "authorization", Value: "Bearer " + string(token)})
		}
		if !s.send(id, block.Bytes(), f.Streams) {
			return
		}
	}
}

// send waits for room and opens a stream. It returns false when the connection
// takes no more of them.
func (s *session) send(id uint32, block []byte, streams int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.open) >= streams && !s.over {
		s.room.Wait()
	}
	if s.over || s.last < endless {
		return false
	}
	s.open[id] = true
	_ = s.c.SetDeadline(time.Now().Add(answerTimeout)) // a closed connection shows below
	if s.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: block, EndStream: true, EndHeaders: true}) != nil {
		s.over = true
	}
	return !s.over
}

// read reads until the connection ends, or nothing more is to come.
func (s *session) read() {
	for {
		frame, err := s.framer.ReadFrame()
		s.mu.Lock()
		if err != nil || s.take(frame) != nil || s.last < endless && len(s.open) == 0 {
			s.over = true
		}
		over := s.over
		s.room.Broadcast()
		s.mu.Unlock()
		if over {
			s.c.Close()
			return
		}
	}
}

// take is one frame of the other side's. s.mu is held.
func (s *session) take(frame http2.Frame) error {
	switch f := frame.(type) {
	case *http2.SettingsFrame:
		if !f.IsAck() {
			return s.framer.WriteSettingsAck()
		}
	case *http2.PingFrame:
		if !f.IsAck() {
			return s.framer.WritePing(true, f.Data)
		}
	case *http2.MetaHeadersFrame:
		s.status[f.StreamID], _ = strconv.Atoi(f.PseudoValue("status")) // no number is no answer: 0
		if f.StreamEnded() {
			s.end(f.StreamID)
		}
	case *http2.DataFrame:
		if f.StreamEnded() {
			s.end(f.StreamID)
		}
	case *http2.RSTStreamFrame:
		s.end(f.StreamID)
	case *http2.GoAwayFrame:
		// What it does not answer may be sent again, on another connection.
		s.last = min(s.last, f.LastStreamID, endless-1)
		for id := range s.open {
			if id > s.last {
				delete(s.open, id)
			}
		}
	}
	return nil
}

func (s *session) end(id uint32) {
	if s.open[id] {
		s.tally[s.status[id]]++
		delete(s.open, id)
		delete(s.status, id)
	}
}
