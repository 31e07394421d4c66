package main

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"time"
)

// fewFiles is enough for a gate that runs, and a few connections more.
const fewFiles = 40

// processFaults are those of a process: each has one of its own.
func processFaults() group {
	const dropped = "sallyport_log_lines_dropped_total"
	full := fault{name: "nobody reads standard error", process: &processLimits{},
		breaks: func(b *broken) { b.child.hang.Lock(); b.chatter(dropped) },
		mends:  func(b *broken) { b.child.hang.Unlock() },
		known:  now("200"), new: now("200"), ready: "yes", metric: dropped,
		log: "log lines are missing here", lateLog: true, again: atOnce,
		todo: "look at the container runtime and the node's disk; lines are missing, requests are not"}
	gone := fault{name: "standard error is closed", process: &processLimits{},
		breaks: func(b *broken) { b.child.stderr.Close(); b.chatter(dropped) },
		known:  now("200"), new: now("200"), ready: "yes", metric: dropped,
		todo: "restart the pod to have a log again"}
	readOnly := fault{name: "the root file system is read-only", process: &processLimits{ReadOnly: true},
		breaks: func(b *broken) { must(b.t, b.kubelet.RotateNow()) },
		mends:  func(*broken) {}, again: atOnce,
		known: now("200"), new: now("200"), ready: "yes",
		metric: "sallyport_own_token_rotations_total", log: "own token rotated",
		todo: "nothing: it is meant to be; tokens and certificates are followed all the same"}
	var held []net.Conn
	files := fault{name: "no file descriptor is left", process: &processLimits{Files: fewFiles},
		breaks: func(b *broken) {
			for range 2 * fewFiles {
				c, err := net.Dial("tcp", b.data)
				must(b.t, err)
				held = append(held, c)
				// One that sends nothing would be closed after 10 s.
				fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
			}
			b.logged("cannot take new connections", 0)
		},
		mends: func(*broken) {
			for _, c := range held {
				c.Close()
			}
		},
		// There is one connection to the app, and no descriptor for another.
		apart: true,
		// net/http tries again to take a connection after 1 s at most.
		known: now("200"), new: expect{"200", time.Second + atOnce, time.Second + atOnce}, ready: "yes",
		metric: `sallyport_connections_closed_total{cause="idle"}`, log: "cannot take new connections", again: 5 * time.Second,
		todo: "raise the limit of open files; find who holds the connections"}
	stopped := fault{name: "gets no CPU for 5 s", process: &processLimits{},
		breaks: func(b *broken) {
			must(b.t, b.child.process.Signal(syscall.SIGSTOP))
			time.AfterFunc(5*time.Second, func() { b.child.process.Signal(syscall.SIGCONT) })
		},
		mends: func(*broken) {}, again: 5 * time.Second,
		known: expect{"200", 5*time.Second + atOnce, atOnce}, new: expect{"200", 5*time.Second + atOnce, atOnce}, ready: "yes",
		metric: `sallyport_requests_total{code="200",reason="ok"}`,
		todo:   "requests wait and none is lost; give it a CPU request, and look at throttling"}
	return group{
		title: "Our own process",
		intro: "Without file descriptors connections that are idle or send nothing are closed for others. A request gets 502 where none is left for a connection to the app.",
		rows:  []fault{full, gone, readOnly, files, stopped},
	}
}

// chatter makes the gate log until the metric says that it was too much: each
// request here is refused, which is a line.
func (b *broken) chatter(metric string) {
	b.t.Helper()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 4}, Timeout: 10 * time.Second}
	defer client.CloseIdleConnections()
	url := fmt.Sprintf("http://%s/%s", b.data, strings.Repeat("long/", 50))
	deadline := time.Now().Add(time.Minute)
	for b.count(metric) == 0 {
		if time.Now().After(deadline) {
			b.t.Fatal("no line was dropped within a minute")
		}
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				for range 250 {
					resp, err := client.Get(url)
					if err != nil {
						b.t.Error(err)
						return
					}
					resp.Body.Close()
				}
			})
		}
		all.Wait()
	}
}
