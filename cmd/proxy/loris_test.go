package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A swarm holds connections open from one address, and replaces those that it
// loses.
type swarm struct {
	opened, lost atomic.Int64
	stop         func()
}

// attack opens n connections to a gate, each of which begins with text, and never
// ends. A pause after one is lost, there is another.
func attack(t *testing.T, from, to string, n int, pause time.Duration, text string) *swarm {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	s := &swarm{}
	var wg sync.WaitGroup
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: 5 * time.Second}
	for range n {
		wg.Go(func() {
			for ctx.Err() == nil {
				c, err := d.DialContext(ctx, "tcp", to)
				if err == nil {
					s.opened.Add(1)
					unhook := context.AfterFunc(ctx, func() { c.Close() })
					fmt.Fprint(c, text)
					one := make([]byte, 1)
					for err == nil { // until it is closed
						_, err = c.Read(one)
					}
					s.lost.Add(1)
					c.Close()
					unhook()
				}
				select {
				case <-ctx.Done():
				case <-time.After(pause):
				}
			}
		})
	}
	s.stop = sync.OnceFunc(func() { cancel(); wg.Wait() })
	t.Cleanup(s.stop)
	return s
}

// calls makes well-behaved requests from 127.0.0.1 for a while, every second one
// on a connection of its own, and returns the longest time that one took.
func calls(t *testing.T, to, token string, n int) (longest time.Duration) {
	t.Helper()
	kept := &http.Transport{}
	defer kept.CloseIdleConnections()
	fresh := &http.Transport{DisableKeepAlives: true}
	for i := range n {
		tr := kept
		if i%2 == 1 {
			tr = fresh
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+to+"/", nil)
		must(t, err)
		req.Header.Set("Authorization", "Bearer "+token)
		begun := time.Now()
		resp, err := tr.RoundTrip(req)
		if err != nil {
			t.Fatalf("call %d: %v", i, err)
		}
		resp.Body.Close()
		cancel()
		longest = max(longest, time.Since(begun))
		if resp.StatusCode != 200 {
			t.Fatalf("call %d: %d", i, resp.StatusCode)
		}
		time.Sleep(5 * time.Millisecond) // 200 a second at most
	}
	return longest
}

// What an unfinished request may look like.
const (
	slowHeader  = "GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "
	slowHello   = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
	silentHTTP2 = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"
)

// 500 connections without a request, and as many again each second, where 200 are
// allowed.
func TestSlowLoris(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{"header": slowHeader, "nothing": "", "HTTP/2": silentHTTP2} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, begun := start(t, "--max-connections=200"), time.Now()
			s := attack(t, "127.0.0.2", w.gate.data.addr(), 500, time.Second, text)
			w.eventually("full", func() bool { return s.opened.Load() >= 500 && s.lost.Load() > 0 })
			longest := calls(t, w.gate.data.addr(), w.token(), 200)
			if open := w.gate.limits.data.Open(); open > 102 {
				t.Errorf("%d connections, want half of 200, and two of the caller", open)
			}
			t.Logf("%d connections opened, %d of them closed; the longest good call took %v", s.opened.Load(), s.lost.Load(), longest)
			if w.metric(`sallyport_connections_closed_total{cause="waiting"}`) == "0" {
				t.Error("not counted")
			}
			s.stop()
			text := w.log.String()
			most := 1 + int(time.Since(begun)/(10*time.Second))
			if n := strings.Count(text, "waited longest for their first request"); n < 1 || n > most || !strings.Contains(text, `"last_peer":"127.0.0.2"`) {
				t.Errorf("%d lines of the log say so, or not who; want one each ten seconds, %d", n, most)
			}
		})
	}
}

// The same of the released program, with the default limits, and its memory. The
// budget is that for garbage. SALLYPORT_LORIS=5000 makes it the flood that is
// promised; -v prints what was seen.
func TestSlowLorisMemory(t *testing.T) {
	attackers := 700
	fmt.Sscan(os.Getenv("SALLYPORT_LORIS"), &attackers)
	t.Parallel()
	program := buildProgram(t)
	for _, tc := range []struct {
		name, text string
		pause      time.Duration
		n          int
		budget     float64 // MiB
		tls        bool
	}{
		{"slow headers", slowHeader, 10 * time.Second, attackers, 40, false},
		{"slow headers, at once again", slowHeader, time.Second, attackers, 40, false},
		// Not all of them: 60 KiB each are a flood of bytes, and the bytes are made
		// on the same two cores. What came before the cut is garbage for a moment,
		// so it may take half of what deploy/sidecar.yaml allows.
		{"slow headers of 60 KiB", slowHeader + strings.Repeat("x", 60<<10), 10 * time.Second, attackers / 5, 64, false},
		{"slow headers of 12,000 lines", slowHeader + strings.Repeat("\r\na: ", 12000), 10 * time.Second, attackers / 5, 64, false},
		{"handshakes", slowHello + strings.Repeat("x", 400), 10 * time.Second, attackers, 40, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w, args := around(t), []string{"--log-level=info"}
			if tc.tls {
				args = append(args, certified(t, time.Hour)...)
			}
			p := w.released(program, args)
			idle := p.rss(t)
			s := attack(t, "127.0.0.2", p.data, tc.n, tc.pause, tc.text)
			w.eventually("full", func() bool { return s.opened.Load() >= int64(tc.n) })
			var longest time.Duration
			if !tc.tls {
				longest = calls(t, p.data, w.token(), 50)
			}
			most := p.rss(t)
			for range 10 {
				time.Sleep(20 * time.Millisecond)
				most = max(most, p.rss(t))
			}
			t.Logf("%d attackers: %d connections opened, %d closed; RSS idle %.1f MiB, at most %.1f MiB; the longest good call took %v",
				tc.n, s.opened.Load(), s.lost.Load(), idle, most, longest)
			s.stop()
			if most > tc.budget {
				t.Errorf("RSS %.1f MiB, the budget is %.0f MiB", most, tc.budget)
			}
		})
	}
}
