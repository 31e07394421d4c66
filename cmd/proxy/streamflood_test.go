package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/binary"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// A torrent is HTTP/2 connections with as many requests under way on each as it
// can have by default. It replaces connections that it loses.
type torrent struct {
	to    string
	tls   bool
	token func() string // of a request; nil: it has none
	habit

	answered, lost atomic.Int64
}

// A habit is what requests have in common.
type habit struct {
	window uint32    // what is taken of each answer
	header [2]string // what they have beside the token; none if empty
	lines  int       // empty ones, which they have too
	resets bool      // they are given up at once
}

// run sends from 127.0.0.2, on n connections, until ctx ends.
func (f *torrent) run(ctx context.Context, n int) {
	var wg sync.WaitGroup
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}, Timeout: 5 * time.Second}
	for range n {
		wg.Go(func() {
			for ctx.Err() == nil {
				raw, err := d.DialContext(ctx, "tcp", f.to)
				if err != nil {
					continue // the gate's queue is full of ours
				}
				unhook := context.AfterFunc(ctx, func() { raw.Close() })
				c := raw
				if f.tls {
					c = tls.Client(raw, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
				}
				f.session(c)
				c.Close()
				unhook()
				f.lost.Add(1)
			}
		})
	}
	wg.Wait()
}

// session sends on c until it is closed.
func (f *torrent) session(c net.Conn) {
	places := make(chan struct{}, 100) // --max-streams
	ended := make(chan struct{})
	out := bufio.NewWriterSize(c, 16<<10)
	framer := http2.NewFramer(out, c)
	out.WriteString(http2.ClientPreface)
	framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: f.window})
	framer.WriteSettingsAck()
	framer.WriteWindowUpdate(0, 1<<30)
	go func() {
		defer close(ended)
		framer := http2.NewFramer(nil, c)
		for {
			frame, err := framer.ReadFrame()
			if err != nil {
				return
			}
			_, reset := frame.(*http2.RSTStreamFrame)
			if h := frame.Header(); h.StreamID > 0 && (reset || h.Flags.Has(http2.FlagDataEndStream)) {
				f.answered.Add(1)
				if !f.resets {
					<-places
				}
			}
		}
	}()
	var block bytes.Buffer
	enc := hpack.NewEncoder(&block)
	for id := uint32(1); ; id += 2 {
		if len(places) == cap(places) && out.Flush() != nil {
			return
		}
		select {
		case places <- struct{}{}:
		case <-ended:
			return
		}
		block.Reset()
		for _, h := range [][2]string{{":method", "GET"}, {":scheme", "http"}, {":path", "/"}} {
			enc.WriteField(hpack.HeaderField{Name: h[0], Value: h[1]})
		}
		if f.token != nil {
			enc.WriteField(hpack.HeaderField{Name: "authorization", Value: "Bearer " + f.token()})
		}
		if f.header[0] != "" {
			enc.WriteField(hpack.HeaderField{Name: f.header[0], Value: f.header[1]})
		}
		for n := range f.lines {
			enc.WriteField(hpack.HeaderField{Name: strconv.Itoa(n), Sensitive: true})
		}
		if writeHeader(framer, id, block.Bytes(), true) != nil {
			return
		}
		if f.resets {
			framer.WriteRSTStream(id, http2.ErrCodeCancel)
			<-places
		}
	}
}

// forgery returns tokens like good, each with another signature.
func forgery(good string) func() string {
	var n atomic.Uint64
	body := good[:strings.LastIndexByte(good, '.')+1]
	return func() string {
		signature := make([]byte, 256)
		binary.BigEndian.PutUint64(signature, n.Add(1))
		return body + base64.RawURLEncoding.EncodeToString(signature)
	}
}

// A manner is a way of calling, with the longest time that a call took.
type manner struct {
	name string
	*http.Transport
	longest time.Duration
}

// manners are HTTP/1.1 on a connection that is kept, and on new ones, and HTTP/2
// likewise.
func manners(t *testing.T) (all []*manner) {
	for i, name := range []string{"HTTP/1.1", "HTTP/1.1, new", "HTTP/2", "HTTP/2, new"} {
		m := &manner{name: name, Transport: &http.Transport{
			DisableKeepAlives: i%2 == 1, Protocols: new(http.Protocols), TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
		}}
		m.Protocols.SetHTTP1(i < 2)
		m.Protocols.SetHTTP2(i >= 2)
		m.Protocols.SetUnencryptedHTTP2(i >= 2)
		t.Cleanup(m.CloseIdleConnections)
		all = append(all, m)
	}
	return all
}

// call makes one request, which must be answered with 200.
func (m *manner) call(t *testing.T, to, token string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, to, nil)
	must(t, err)
	req.Header.Set("Authorization", "Bearer "+token)
	begun := time.Now()
	resp, err := m.RoundTrip(req)
	if err != nil {
		t.Errorf("%s: %v", m.name, err)
		return
	}
	resp.Body.Close()
	m.longest = max(m.longest, time.Since(begun))
	if resp.StatusCode != 200 {
		t.Errorf("%s: %d", m.name, resp.StatusCode)
	}
}

// 64 connections with 100 requests on each. This takes 28 to 48 MiB; most of it is
// garbage, so that a machine that is busy with something else may need half as much
// again: 65 were seen. Callers from another address get all of their answers.
func TestStreamFloodMemory(t *testing.T) {
	const connections, budget, lasts = 64, 72.0, 2 * time.Second
	t.Parallel()
	program := buildProgram(t)
	const much = 1 << 20
	refused, large := [2]string{"connection", "x"}, [2]string{"x", strings.Repeat("#", 96<<10)}
	for _, tc := range []struct {
		name   string
		tls    bool
		tokens string
		habit
	}{
		{"forged tokens", false, "forged", habit{window: much}},
		{"forged tokens in TLS", true, "forged", habit{window: much}},
		{"forged tokens, given up", false, "forged", habit{window: much, resets: true}},
		{"forged tokens, answers not taken", false, "forged", habit{}},
		{"one caller's good token", false, "good", habit{window: much}},
		{"smallest frames in TLS, answers not taken", true, "", habit{}},
		{"what net/http refuses, answers not taken", false, "", habit{header: refused}},
		{"what net/http refuses in TLS, answers not taken", true, "", habit{header: refused}},
		{"too large in TLS, answers not taken", true, "", habit{header: large}},
		{"many lines, answers not taken", false, "", habit{header: refused, lines: 1700}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w, args := around(t), []string{"--log-level=info"}
			if tc.tls {
				args = append(args, certified(t, time.Hour)...)
			}
			p := w.released(program, args)
			good := w.token()
			f := &torrent{to: p.data, tls: tc.tls, habit: tc.habit, token: map[string]func() string{
				"forged": forgery(good), "good": func() string { return good },
			}[tc.tokens]}
			known, to, all := w.other(), "http://"+p.data, manners(t)
			if tc.tls {
				to = "https://" + p.data
			}
			all[0].call(t, to, known)
			ctx, cancel := context.WithTimeout(t.Context(), lasts)
			defer cancel()
			idle, most := p.rss(t), 0.0
			var wg sync.WaitGroup
			wg.Go(func() { f.run(ctx, connections) })
			wg.Go(func() {
				for ctx.Err() == nil {
					most = max(most, p.rss(t))
					time.Sleep(10 * time.Millisecond)
				}
			})
			calls := 0
			for begun := time.Now(); time.Since(begun) < lasts-time.Second; calls += len(all) {
				for _, m := range all {
					m.call(t, to, known)
				}
				time.Sleep(5 * time.Millisecond)
			}
			wg.Wait()
			t.Logf("%d answered, %d connections lost; RSS idle %.1f MiB, at most %.1f MiB; %d good calls",
				f.answered.Load(), f.lost.Load(), idle, most, calls)
			for _, m := range all {
				t.Logf("%s: the longest took %v", m.name, m.longest)
			}
			if most > budget {
				t.Errorf("RSS %.1f MiB, the budget is %.0f MiB", most, budget)
			}
		})
	}
}
