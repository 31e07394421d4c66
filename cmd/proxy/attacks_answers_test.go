package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/http2"
)

// poison is an answer that nobody has asked for.
const poison = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nPOISON"

// badAnswers are what the app says to who asks for the path. A ~ is a pause.
var badAnswers = map[string]string{
	"/two":             "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" + poison,
	"/two/empty":       "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" + poison,
	"/two/chunked":     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n" + poison,
	"/two/204":         "HTTP/1.1 204 No Content\r\n\r\n" + poison,
	"/two/304":         "HTTP/1.1 304 Not Modified\r\nContent-Length: 65\r\n\r\n" + poison,
	"/two/103":         "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" + poison,
	"/two/late":        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok~" + poison,
	"/two/late/204":    "HTTP/1.1 204 No Content\r\n\r\n~" + poison,
	"/two/close":       "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok" + poison,
	"/two/garbage":     "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok\r\n\r\n" + poison,
	"/two/long":        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" + strings.Repeat("x", 9000) + poison,
	"/bad/lengths":     "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 67\r\n\r\nok" + poison,
	"/bad/length":      "HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok" + poison,
	"/bad/coding":      "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" + poison,
	"/bad/value":       "HTTP/1.1 200 OK\r\nX: a\x00b\r\nContent-Length: 2\r\n\r\nok" + poison,
	"/bad/status":      "HTTP/1.1 99 Low\r\nContent-Length: 2\r\n\r\nok" + poison,
	"/bad/line":        "HTTP/1.1\r\n\r\n" + poison,
	"/bad/large":       "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 2<<20) + "\r\n\r\n" + poison,
	"/bad/101":         "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n" + poison,
	"/both":            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n" + poison,
	"/cut/length":      "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nok!",
	"/cut/chunked":     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n!",
	"/cut/chunks":      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok!!0\r\n\r\n" + poison,
	"/cut/trailer":     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX Y\r\n\r\n" + poison,
	"/trailer":         "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nContent-Length: 9POISON\r\nTransfer-Encoding: POISON\r\nConnection: POISON\r\nSet-Cookie: a=POISON\r\nLocation: /POISON\r\n\r\n",
	"/header/response": "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: b\r\n \r\n X-B: c\r\nConnection: X-A\r\nKeep-Alive: 1\r\nProxy-Connection: x\r\n\r\nok",
}

// A liar is an app that says what it likes, and to all else the path.
type liar struct {
	url string
	// said gets a word when it has said all of a lie.
	said chan struct{}
}

func newLiar(s *siege) *liar {
	l, url := listenOnLoopback(s.t)
	a := &liar{url, make(chan struct{}, 1000)}
	go func() {
		for c, err := l.Accept(); err == nil; c, err = l.Accept() {
			go a.serve(c)
		}
	}()
	return a
}

func (a *liar) serve(c net.Conn) {
	defer c.Close()
	br := bufio.NewReader(c)
	for {
		r, err := http.ReadRequest(br)
		if err != nil {
			return
		}
		io.Copy(io.Discard, r.Body)
		answer, lie := badAnswers[r.URL.Path]
		if !lie {
			answer = fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(r.RequestURI), r.RequestURI)
		}
		for i, part := range strings.Split(answer, "~") {
			if i > 0 {
				time.Sleep(20 * time.Millisecond) // the first has been read
			}
			io.WriteString(c, part)
		}
		if lie {
			a.said <- struct{}{}
		}
		if strings.HasSuffix(answer, "!") {
			return
		}
	}
}

// behind is another gate, in front of a liar.
func (s *siege) behind(upstream string, args ...string) *siege {
	s.t.Helper()
	other := &siege{whole: s.t, way: way{app: "http"}, tap: s.tap, outcomes: map[string]string{}}
	other.world = start(s.t, append(append([]string{"--upstream=" + upstream}, siegeArgs...), args...)...)
	other.good = other.world.token()
	return other
}

func answerAttacks() campaign {
	return campaign{
		title: "Answers that lie",
		intro: "An app that was taken over, or is broken, may answer whom it was asked by as it likes, and nobody else. Each of these is asked for five times, and others ask meanwhile and afterwards: each gets its own answer, and nobody the second. What no client of HTTP/1.1 can see is a second answer that comes only when the next request is under way: an app that does that mixes up its own callers, here as behind any proxy that keeps connections.",
		rows: []attempt{
			{
				name: "two answers to one request", sent: "a second answer behind the first: at once, 20 ms later, behind a 204, a 304, a 103, an answer to HEAD, or garbage", wants: []string{"200", "204", "304"}, then: "where it is seen by the next request, the connection to the app is not used again",
				try: lies("/two"), proofs: []string{"internal/proxy.TestFailAfterAnswer"},
			},
			{
				name: "an answer that can be read in two ways", sent: "Content-Length beside Transfer-Encoding", wants: []string{"200"}, then: "callers get one of them", try: lies("/both"),
			},
			{
				name: "answers that break the rules", sent: "two lengths, `+2`, an unknown coding, bad values, 2 MiB of header, 101 unasked", wants: []string{"502"},
				try: lies("/bad"), proofs: []string{"internal/proxy.TestAppFailures", "cmd/proxy.TestFaults"},
			},
			{
				name: "trailers that pose as headers", sent: "behind a chunked answer: Content-Length, Transfer-Encoding, Connection, Set-Cookie, Location", wants: []string{"200"}, then: "callers get none of them; others pass, those of gRPC among them",
				try: lies("/trailer"), proofs: []string{"internal/proxy.TestResponseTrailersFiltered"},
			},
			{
				name: "answers that break off", sent: "less than was announced, chunks that do not fit, a trailer that is none", wants: []string{"none"}, then: "callers see a cut, and no end", try: lies("/cut"), proofs: []string{"internal/proxy.TestAppDiesMidAnswer"},
			},
			{
				name: "CVE-2026-33814: an HTTP/2 app that makes no progress", sent: "SETTINGS_MAX_FRAME_SIZE of 0 from an h2c app; CONTINUATION frames without an end", wants: []string{"502"}, then: "within 5 s, and the gate goes on", try: lyingFrames,
			},
		},
	}
}

// lies asks a liar for the answers below a path.
func lies(prefix string) func(*siege) {
	return func(s *siege) {
		app := newLiar(s)
		gate := s.behind(app.url)
		methods := []string{"GET"}
		if prefix == "/two" {
			methods = append(methods, "HEAD")
		}
		for path := range badAnswers {
			if path != prefix && !strings.HasPrefix(path, prefix+"/") {
				continue
			}
			for i := range 5 {
				for _, method := range methods {
					var others sync.WaitGroup
					ask := func() { others.Go(func() { gate.echoed(fmt.Sprintf("/own%s/%d", path, i)) }) }
					if !strings.Contains(badAnswers[path], "~") { // else it may be asked again before it speaks
						ask()
						ask()
					}
					r := gate.raw(send(method, path, "Authorization: Bearer {token}"))
					s.got(strings.TrimSuffix(r.outcome, ", closed"), method+" "+path)
					if strings.Contains(r.body, "POISON") {
						s.got("the second answer in the first", path)
					}
					if strings.Contains(fmt.Sprint(r.trailer), "POISON") {
						s.got("the trailer", path)
					}
					app.hasSpoken(s, path)
					ask()
					others.Wait()
				}
			}
		}
	}
}

// hasSpoken waits until the app has said all of a lie.
func (a *liar) hasSpoken(s *siege, path string) {
	s.t.Helper()
	select {
	case <-a.said:
	case <-time.After(10 * time.Second):
		s.t.Fatalf("%s: the app was not asked", path)
	}
}

// echoed fails the row if the liar's honest answer does not come.
func (s *siege) echoed(path string) {
	s.t.Helper()
	if r := s.raw(known(path)); r.code != 200 || r.body != path {
		s.t.Errorf("%s got %s %.80q", path, r.outcome, r.body)
	}
}

// lyingFrames is an app that speaks HTTP/2 and makes no sense.
func lyingFrames(s *siege) {
	for _, lie := range []func(f *http2.Framer){
		func(f *http2.Framer) { f.WriteRawFrame(http2.FrameSettings, 0, 0, []byte{0, 5, 0, 0, 0, 0}) },
		func(f *http2.Framer) {
			f.WriteSettings()
			f.WriteRawFrame(http2.FrameHeaders, 0, 1, []byte{0x88})
			for f.WriteRawFrame(http2.FrameContinuation, 0, 1, []byte(strings.Repeat("\x00\x01a\x01b", 2000))) == nil {
			}
		},
	} {
		l, url := listenOnLoopback(s.t)
		go func() {
			for c, err := l.Accept(); err == nil; c, err = l.Accept() {
				go func() {
					defer c.Close()
					go io.Copy(io.Discard, c)
					lie(http2.NewFramer(c, c))
					time.Sleep(5 * time.Second)
				}()
			}
		}()
		gate := s.behind(strings.Replace(url, "http", "h2c", 1), "file:upstream: {url: "+strings.Replace(url, "http", "h2c", 1)+", responseHeaderTimeout: 3s}")
		begun := time.Now()
		s.got(gate.raw(known("/")).outcome, "")
		if took := time.Since(begun); took > 5*time.Second*unhurried {
			s.got(fmt.Sprint("after ", took), "")
		}
	}
}
