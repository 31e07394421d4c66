package connlimit

import (
	"crypto/tls"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

func (s *session) begins(stream uint32) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.isNew(stream)
}

// A header begins a request where its stream is new, and a client's.
func TestBegins(t *testing.T) {
	l := New(2, nil)
	s := l.session(&conn{limit: l, from: &address{}})
	for _, tc := range []struct {
		stream uint32
		begins bool
	}{{0, false}, {2, false}, {1, true}, {1, false}, {7, true}, {5, false}, {8, false}, {9, true}} {
		got := s.begins(tc.stream)
		if got != tc.begins {
			t.Errorf("%d: begins is %v", tc.stream, got)
		}
		if got {
			s.hold(tc.stream, 0)
		}
	}
	if n := s.weight.Load(); n != 3 {
		t.Errorf("three requests weigh %d", n)
	}
	s.went([]byte("\x00\x00\x08\x07\x00\x00\x00\x00\x00\x80\x00\x00\x07\x00\x00\x00\x00")) // GOAWAY 7
	if n := s.weight.Load(); n != 2 {
		t.Errorf("two requests weigh %d", n)
	}
	if s.begins(11) {
		t.Error("a header begins a request that nobody will look at")
	}
	if s.hold(11, 0); s.weight.Load() != 2 { // it waited meanwhile
		t.Error("it counts")
	}
}

// A friend speaks HTTP/2 to a site, in frames, and takes no answer that it has not
// made room for.
type friend struct {
	*http2.Framer
	last uint32
}

func (s *site) friend(secure bool) (*friend, *session) {
	s.t.Helper()
	var k io.ReadWriter = s.dial("127.0.0.1", "")
	if secure {
		k = tls.Client(k.(*client), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{http2.NextProtoTLS}})
	}
	k.Write(preface)
	f := &friend{Framer: http2.NewFramer(k, k)}
	f.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
	var found *session
	s.eventually("HTTP/2", func() bool {
		s.limit.mu.Lock()
		defer s.limit.mu.Unlock()
		for found = range s.limit.sessions {
		}
		return found != nil
	})
	return f, found
}

// ask sends a request, with some headers beside.
func (f *friend) ask(path string, headers ...string) {
	var block strings.Builder
	enc := hpack.NewEncoder(&block)
	for h := range pairs(append([]string{":method", "GET", ":scheme", "http", ":path", path, ":authority", "x"}, headers...)) {
		enc.WriteField(h)
	}
	f.last += 2
	f.WriteHeaders(http2.HeadersFrameParam{StreamID: f.last - 1, BlockFragment: []byte(block.String()), EndStream: true, EndHeaders: true})
}

func pairs(all []string) func(func(hpack.HeaderField) bool) {
	return func(yield func(hpack.HeaderField) bool) {
		for i := 0; i < len(all) && yield(hpack.HeaderField{Name: all[i], Value: all[i+1]}); i += 2 {
		}
	}
}

// Whatever a request comes to, it is counted until the end of its answer is written,
// or somebody has given it up: those that no handler sees too.
func TestSession(t *testing.T) {
	t.Parallel()
	for _, secure := range []bool{false, true} {
		s := newSite(t, 4)
		if secure {
			s = newSiteWith(t, 4, serverConfig(t))
		}
		f, session := s.friend(secure)
		for range 10 {
			f.ask("/")
		}
		weighs := func(what string, n int64) {
			t.Helper()
			s.eventually(what, func() bool { return session.conn.requests.Load() == 0 && session.weight.Load() == n })
		}
		weighs("answered, and not taken", 10)
		if n := session.untaken(); n != 10 {
			t.Errorf("%d are not taken", n)
		}
		f.WriteWindowUpdate(1, 1<<16)
		weighs("one is taken", 9)
		f.WriteRSTStream(3, http2.ErrCodeCancel)
		weighs("one is given up", 8)
		f.ask("/", "connection", "x") // 400
		f.ask("/", "x", strings.Repeat("#", 5))
		weighs("one is refused by the server, and not taken", 10)
		f.WriteWindowUpdate(21, 1<<16)
		weighs("that is taken", 9)
		f.ask("/nobody", ":path", "/") // an error of its stream
		f.ask("/wait")
		s.eventually("one runs", func() bool { return s.waits.Load() == 1 && session.weight.Load() == 11 })
		close(s.release)
		weighs("it is over, and has no body", 9)
		f.WriteGoAway(0, http2.ErrCodeNo, nil) // the server's comes back
		s.eventually("it leaves", func() bool { return !session.begins(1<<31 - 1) })
		weighs("and serves what has begun", 9)
		f.ask("/")
		f.WriteWindowUpdate(5, 1<<16)
		weighs("and nothing else", 8)
		session.conn.Close()
		s.eventually("nothing is left", func() bool { return session.weight.Load() == 0 && s.limit.weight.Load() == 0 })
	}
}

// Whatever comes and goes, in parts of any size, nothing is left of it when the
// connection has ended, which may be in the middle. Nobody would recover from a panic.
func TestAnyFrames(t *testing.T) {
	for seed := range uint64(100) {
		bubble(t, func(t *testing.T, d *desk) {
			g := d.speak("g", one)
			others := int64(0)
			if seed%2 == 0 { // leave hardly any room
				d.speak("other", one).serve(63)
				others = d.weight.Load()
			}
			random := func(of uint64) (r *rand.Rand, all []byte) {
				r = rand.New(rand.NewPCG(seed, of))
				for range 300 {
					p := g.frame(byte(r.IntN(11)), byte(r.Uint32()), uint32(r.IntN(20)), r.IntN(40))
					for i := frameHeader; i < len(p); i++ {
						p[i] = byte(r.Uint32())
					}
					all = append(all, p...)
				}
				if seed%5 == 0 { // no frames
					for i := range all {
						all[i] = byte(r.Uint32())
					}
				}
				return r, all
			}
			ended := make(chan bool)
			go func() {
				r, in := random(1)
				for open := true; open && len(in) > 0; {
					time.Sleep(time.Duration(r.IntN(50)) * time.Millisecond)
					n := 1 + r.IntN(min(len(in), 100))
					open, in = g.came(in[:n]), in[n:]
				}
				close(ended)
			}()
			for r, out := random(2); r.IntN(100) > 0 && len(out) > 0; {
				n := 1 + r.IntN(min(len(out), 100))
				g.went(out[:n])
				g.handle(1)
				g.place(1)
				time.Sleep(time.Duration(r.IntN(50)) * time.Millisecond)
				g.place(-1)
				g.handle(-1)
				out = out[n:]
			}
			g.conn.Close()
			<-ended
			if n, all := g.weight.Load(), d.weight.Load(); n != 0 || all != others {
				t.Errorf("seed %d: it weighs %d, all %d", seed, n, all)
			}
		})
	}
}
