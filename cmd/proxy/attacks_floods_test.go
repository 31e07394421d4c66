package main

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
)

// hang waits until the caller has gone, and counts who does.
func (s *siege) hang(r *http.Request) {
	now := s.atHang.Add(1)
	defer s.atHang.Add(-1)
	raise(&s.most, now)
	<-r.Context().Done()
}

func raise(most *atomic.Int64, to int64) {
	for old := most.Load(); to > old && !most.CompareAndSwap(old, to); old = most.Load() {
	}
}

// writeEndlessly answers for as long as somebody takes it.
func (s *siege) writeEndlessly(w http.ResponseWriter, r *http.Request) {
	for buf := make([]byte, 64<<10); r.Context().Err() == nil; {
		n, err := w.Write(buf)
		if s.endless.Add(int64(n)); err != nil {
			return
		}
	}
}

// maxStreams is --max-streams in the floods.
const maxStreams = 50

func frameFloods() campaign {
	const served, bounded = "others are served", "bounded at the app"
	// resets is a flood of streams that end right after their beginning.
	resets := func(fields []string, reset func(c *h2conn, stream uint32) error) func(*siege) {
		return func(s *siege) {
			s.most.Store(0)
			c := s.h2()
			header := c.header(fields...)
			c.flooded(20000, func(i int) error {
				stream := uint32(2*i + 1)
				if err := c.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: header, EndHeaders: true, EndStream: true}); err != nil {
					return err
				}
				return reset(c, stream)
			})
			if most := s.most.Load(); most > 2*maxStreams {
				s.got(fmt.Sprint(most, " at the app at a time"), "")
			}
			s.eventually("all over", func() bool { return s.atHang.Load() == 0 })
			s.got(bounded, "")
		}
	}
	reset := func(c *h2conn, stream uint32) error { return c.WriteRSTStream(stream, http2.ErrCodeCancel) }
	// ends is a flood that the connection does not survive.
	ends := func(n int, begin func(c *h2conn), frame func(c *h2conn, i int) error) func(*siege) {
		return func(s *siege) {
			c := s.h2()
			if begin != nil {
				begin(c)
			}
			s.got(c.flooded(n, func(i int) error { return frame(c, i) }), "")
		}
	}
	hang := withToken(pseudo(":path", "/hang"))
	return campaign{
		title: "Floods of HTTP/2 frames",
		intro: "A second or so of each on one connection; others, on connections of their own, are served meanwhile and afterwards. \"Bounded\": never more of them at the app at a time than twice `--max-streams`: those that we have ended, and of which it has not heard.",
		args:  []string{fmt.Sprint("--max-streams=", maxStreams)},
		over:  overBoth,
		rows: []attempt{
			{
				name: "CVE-2023-44487, CVE-2023-39325: rapid reset", sent: "streams with a good token, each reset at once", wants: []string{served, bounded}, try: resets(hang, reset),
			},
			{
				name: "rapid reset without a token", sent: "the same without", wants: []string{served, bounded}, then: "the connection ends with the first answer", try: resets(pseudo(":path", "/hang"), reset),
			},
			{
				name: "golang/go#67940: a reset at an interim answer", sent: "streams that get 103s, each reset meanwhile", wants: []string{served, bounded}, then: "the header that is sent and the one that is changed are two",
				proofs: []string{"internal/proxy.TestResetAtInterim"}, try: resets(withToken(pseudo(":path", "/hints")), reset),
			},
			{
				name: "CVE-2025-8671: the server is made to reset", sent: "streams with a good token, and in each a WINDOW_UPDATE of 0", wants: []string{served, bounded},
				try: resets(hang, func(c *h2conn, stream uint32) error { return c.WriteWindowUpdate(stream, 0) }),
			},
			{
				name: "CVE-2023-45288: CONTINUATION without an end", sent: "a header that 20,000 CONTINUATION frames do not end", wants: []string{served, "closed"},
				try: ends(20000, func(c *h2conn) {
					c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: c.header(pseudo()...)})
				}, func(c *h2conn, i int) error {
					return c.WriteContinuation(1, false, c.header(fmt.Sprint("x-", i), strings.Repeat("v", 100)))
				}),
			},
			{
				name: "CVE-2019-9515: SETTINGS", sent: "SETTINGS frames, whose acknowledgements nobody reads", wants: []string{served, "closed"}, then: "or no longer read, until who sends them has gone",
				try: unread(func(c *h2conn, i int) error {
					return c.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: uint32(i)})
				}),
			},
			{
				name: "CVE-2019-9512: PING", sent: "PING frames, whose answers nobody reads", wants: []string{served, "closed"}, then: "likewise",
				try: unread(func(c *h2conn, i int) error { return c.WritePing(false, [8]byte{byte(i)}) }),
			},
			{
				name: "CVE-2019-9514: resets in answer to broken streams", sent: "HEADERS that are in error, whose resets nobody reads", wants: []string{served, "closed"}, then: "likewise",
				try: unread(func(c *h2conn, i int) error { return c.open(uint32(2*i+1), false, ":path", "/status") }),
			},
			{
				name: "PING, whose answers are read", sent: "1,000 PINGs at once", wants: []string{served, "a hundred in a second"}, then: "as of all frames that bring no request on, beside those that answers cause",
				proofs: []string{"internal/connlimit.TestPace"}, try: pings,
			},
			{
				name: "CVE-2019-9518: empty frames", sent: "50,000 empty DATA frames without an end", wants: []string{served, "goes on"}, then: "a hundred in a second are read",
				try: ends(50000, func(c *h2conn) { c.open(1, true, withToken(pseudo(":method", "POST"))...) }, func(c *h2conn, _ int) error { return c.WriteData(1, false, nil) }),
			},
			{
				name: "CVE-2019-9516: header fields without a length", sent: "headers of empty names and values", wants: []string{served, "closed"}, then: "the first is an error of the connection or stream, and the rest 431",
				try: ends(2000, func(c *h2conn) {
					c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: c.header(pseudo()...)})
				}, func(c *h2conn, _ int) error {
					return c.WriteContinuation(1, false, []byte(strings.Repeat("\x00\x00\x00", 1000)))
				}),
			},
			{
				name: "CVE-2019-9513: priorities", sent: "50,000 PRIORITY frames for streams that are not there", wants: []string{served, "goes on"}, then: "a hundred in a second are read, and forgotten (RFC 9113, 5.3.2)",
				try: ends(50000, func(c *h2conn) { c.open(1, true, withToken(pseudo(":method", "POST"))...) }, func(c *h2conn, i int) error {
					return c.WritePriority(uint32(2*i+3), http2.PriorityParam{StreamDep: uint32(2*i + 5), Weight: byte(i)})
				}),
			},
			{
				name: "CVE-2019-9511, CVE-2019-9517: an answer that is not taken", sent: "a request for an endless answer, with a window of 0 or one byte now and then", wants: []string{served, "the app waits"}, then: "what we hold is bounded by buffers of 64 KiB, and the kernel's", try: untaken,
			},
			{
				name: "the same of many streams", sent: "400 requests on 8 connections, with a window of 0", wants: []string{served, "closed"}, then: "those with most answers, a second after there is no room for more, twenty in a second; until then new connections of that address wait, and those of known callers get the first place",
				proofs: []string{"internal/connlimit.TestUntakenByStrangers"}, try: untakenByMany,
			},
			{
				name: "CVE-2026-33814, on the callers' side: frame sizes that make no progress", sent: "SETTINGS_MAX_FRAME_SIZE of 0 and 2^24, a window of 2^32-1", wants: []string{served, "closed, PROTOCOL_ERROR", "closed, FLOW_CONTROL_ERROR"},
				try: func(s *siege) {
					for _, setting := range []http2.Setting{{ID: http2.SettingMaxFrameSize, Val: 0}, {ID: http2.SettingMaxFrameSize, Val: 1 << 24}, {ID: http2.SettingInitialWindowSize, Val: 1<<32 - 1}} {
						c := s.h2()
						var payload [6]byte
						binary.BigEndian.PutUint16(payload[:], uint16(setting.ID))
						binary.BigEndian.PutUint32(payload[2:], setting.Val)
						c.WriteRawFrame(http2.FrameSettings, 0, 0, payload[:])
						c.open(1, false, withToken(pseudo())...)
						s.got(c.outcome(0), fmt.Sprint(setting))
						c.Close()
					}
					s.othersAreServed()
				},
			},
		},
	}
}

// unread is a flood of frames that have to be answered, whose answers are not
// read. It ends when the gate does not read any more, either.
func unread(frame func(c *h2conn, i int) error) func(*siege) {
	return func(s *siege) {
		c := s.h2()
		defer c.Close()
		if tcp, ok := c.Conn.(*net.TCPConn); ok {
			must(s.t, tcp.SetReadBuffer(4096)) // or the kernel would take them
		}
		c.buffer()
		outcome := "goes on"
		for i := range 1000000 {
			if err := frame(c, i); err != nil {
				outcome = "closed"
				break
			}
		}
		s.othersAreServed()
		s.got(outcome, "")
	}
}

// pings counts PINGs' answers for two seconds: no others than those of three.
func pings(s *siege) {
	c := s.h2()
	defer c.Close()
	begun, n := time.Now(), 0
	go func() {
		for i := range 1000 {
			if c.WritePing(false, [8]byte{byte(i)}) != nil {
				return
			}
		}
	}()
	must(s.t, c.SetReadDeadline(begun.Add(2*time.Second)))
	for {
		frame, err := c.ReadFrame()
		if err != nil {
			break
		}
		if frame.Header().Type == http2.FramePing {
			n++
		}
	}
	if n <= 300 {
		s.got("a hundred in a second", "")
	} else {
		s.got(fmt.Sprint(n, " in ", time.Since(begun)), "")
	}
	s.othersAreServed()
}

// untaken asks for an endless answer and takes nothing of it.
func untaken(s *siege) {
	s.endless.Store(0)
	c := s.h2()
	defer c.Close()
	must(s.t, c.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0}))
	must(s.t, c.open(1, false, withToken(pseudo(":path", "/endless"))...))
	s.got(map[bool]string{true: "the app waits"}[s.appWaits(func() { c.WriteWindowUpdate(1, 1) })], "")
	s.othersAreServed()
}

// untakenByMany leaves more small answers untaken than one address may, and asks for
// one more now and then, until a connection is lost: who finds room while others are at
// the app, which take none, has nobody wait for it.
func untakenByMany(s *siege) {
	untaken := func(n uint32) *h2conn {
		c := s.h2()
		must(s.t, c.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0}))
		for i := range n {
			_ = c.open(2*i+1, false, withToken(pseudo())...) // it may be lost already
		}
		return c
	}
	lost := make(chan string, 8)
	for range cap(lost) {
		c := untaken(maxStreams)
		defer c.Close()
		go func() { lost <- c.outcome(0) }()
	}
	for goOn := true; goOn; {
		defer untaken(1).Close()
		select {
		case outcome := <-lost:
			s.got(outcome, "")
			goOn = false
		case <-time.After(50 * time.Millisecond):
		}
	}
	s.othersAreServed()
}

// appWaits reports whether the app's endless answer comes to a stand.
func (s *siege) appWaits(meanwhile func()) bool {
	const most = 32 << 20 // the kernel's buffers on loopback, of two connections
	s.eventually("begun", func() bool { return s.endless.Load() > 0 })
	for range 50 {
		before := s.endless.Load()
		meanwhile()
		time.Sleep(100 * time.Millisecond)
		if after := s.endless.Load(); after == before || after > most {
			return after <= most
		}
	}
	return false
}

// listenOnLoopback returns a listener and its URL.
func listenOnLoopback(t testing.TB) (net.Listener, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { l.Close() })
	return l, "http://" + l.Addr().String()
}
