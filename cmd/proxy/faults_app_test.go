package main

import (
	"net/http"
	"strings"
	"time"
)

// appFaults are the app's. Who calls makes no difference.
func appFaults() group {
	behind := func(b *broken) []string {
		b.upstream = newRevenant(b.t, echoHandler())
		return []string{"--upstream=http://" + b.upstream.port.Addr()}
	}
	row := func(name, status, code, reason string, h http.HandlerFunc, todo string) fault {
		f := fault{name: name, before: behind,
			breaks: func(b *broken) { b.upstream.handler.Store(&handler{h}) },
			mends:  func(b *broken) { b.upstream.handler.Store(&handler{echoHandler()}) },
			known:  now(status), new: now(status), ready: "yes", again: atOnce, todo: todo,
			metric: `sallyport_requests_total{code="` + code + `",reason="` + reason + `"}`}
		if reason != "ok" {
			f.log = `"reason":"` + reason + `"`
		}
		return f
	}
	const theirs = "the app's own log"
	down := row("refuses connections", "502", "502", "upstream_refused", nil, "does it listen where `--upstream` says?")
	down.breaks, down.mends = func(b *broken) { b.upstream.stop() }, func(b *broken) { must(b.t, b.upstream.start()) }
	slow := row("answers after 1 s", "200", "200", "ok", func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-time.After(time.Second):
		case <-r.Context().Done():
		}
	}, "nothing of ours ends it; `upstream.responseHeaderTimeout` would")
	slow.known, slow.new = expect{"200", time.Second + atOnce, time.Second + atOnce}, expect{"200", time.Second + atOnce, time.Second + atOnce}
	silent := row("does not answer within `responseHeaderTimeout` (1 s)", "504", "504", "upstream_timeout",
		func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, theirs)
	silent.args = []string{"file:upstream: {responseHeaderTimeout: 1s}"}
	silent.known, silent.new = expect{"504", time.Second + atOnce, time.Second + atOnce}, expect{"504", time.Second + atOnce, time.Second + atOnce}
	upgrade := row("refuses an upgrade", "403", "403", "ok", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(403) }, theirs)
	upgrade.shape = func(r *http.Request) {
		r.Header.Set("Connection", "Upgrade")
		r.Header.Set("Upgrade", "websocket")
		r.Header.Set("Sec-WebSocket-Version", "13")
		r.Header.Set("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA==")
	}
	endless := row("sends 1xx without end, with `responseHeaderTimeout` (1 s)", "504", "504", "upstream_timeout", hints(-1), theirs)
	endless.args, endless.known, endless.new = silent.args, silent.known, silent.new
	return group{
		title: "The app",
		intro: "The gate stays ready: the app has probes of its own.",
		rows: []fault{
			down, slow, silent,
			row("cuts the connection", "502", "502", "upstream_broken", raw(""), theirs),
			row("answers what is not HTTP", "502", "502", "upstream_broken", raw("-ERR unknown command\r\n\r\n"), "does another protocol listen there?"),
			row("resets in the middle of its answer", "cut", "200", "upstream_broken", raw("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"), theirs),
			row("headers of 2 MB", "502", "502", "upstream_broken", raw("HTTP/1.1 200 OK\r\nX: "+strings.Repeat("x", 2<<20)+"\r\n\r\n"), theirs),
			upgrade,
			row("switches protocols unasked", "502", "502", "upstream_broken", raw("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"), theirs),
			row("sends 1,000 1xx before its answer", "200", "200", "ok", hints(1000), theirs),
			endless,
		},
	}
}

// raw answers with bytes and hangs up.
func raw(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		c, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		c.Write([]byte(text))
		c.Close()
	}
}

// hints answers 103 n times, or until nobody listens.
func hints(n int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</a.css>; rel=preload")
		for i := 0; i != n && r.Context().Err() == nil; i++ {
			w.WriteHeader(http.StatusEarlyHints)
			if n < 0 {
				time.Sleep(time.Millisecond) // not to take the CPU from the other rows
			}
		}
	}
}
