package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A crowd calls a gate all the while, in several manners, and wants 200 each time.
type crowd struct {
	*world
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
	calls  map[string]*atomic.Int64
	failed atomic.Int64
	doing  atomic.Value // what is done meanwhile, for those who read of a failure
}

// crowd starts with callers who are known: on connections that they keep, and on
// a new one for each call. They call 200 times a second at most, as the cores are
// everybody's.
func (w *world) crowd(token string) *crowd {
	c := &crowd{world: w, calls: map[string]*atomic.Int64{}}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.doing.Store("at first")
	w.t.Cleanup(c.leave)
	known := func() string { return token }
	for _, h2 := range []bool{false, true} {
		c.join(fmt.Sprintf("kept, HTTP/2 %v", h2), w.way(h2), known, 5*time.Millisecond)
	}
	fresh := w.way(false)
	fresh.DisableKeepAlives = true
	c.join("fresh", fresh, known, 5*time.Millisecond)
	resumes := w.way(false)
	resumes.DisableKeepAlives = true
	resumes.TLSClientConfig.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	c.join("resumed", resumes, known, 5*time.Millisecond)
	return c
}

// newcomers join, each of whom calls once. The API server may be asked 50 times a
// second.
func (c *crowd) newcomers(token func() string) {
	c.join("newcomers", c.way(true), token, 50*time.Millisecond)
}

// way is how one caller calls. Which certificate the gate has is asked elsewhere.
func (w *world) way(h2 bool) *http.Transport {
	tr := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, Protocols: new(http.Protocols)}
	tr.Protocols.SetHTTP1(!h2)
	tr.Protocols.SetHTTP2(h2 && w.gate.certificate != nil)
	tr.Protocols.SetUnencryptedHTTP2(h2 && w.gate.certificate == nil)
	return tr
}

func (c *crowd) join(manner string, tr *http.Transport, token func() string, pause time.Duration) {
	n := &atomic.Int64{}
	c.calls[manner] = n
	scheme := map[bool]string{false: "http://", true: "https://"}[c.gate.certificate != nil]
	c.wg.Go(func() {
		defer tr.CloseIdleConnections()
		for c.ctx.Err() == nil {
			err := once(tr, scheme+c.gate.data.addr()+"/", token())
			n.Add(1)
			if err != nil && c.failed.Add(1) <= 5 { // the first tell enough
				c.t.Errorf("%s, %s: call %d: %v", c.doing.Load(), manner, n.Load(), err)
			}
			select {
			case <-c.ctx.Done():
			case <-time.After(pause):
			}
		}
	})
}

// once calls, and returns why that did not go well.
func once(tr *http.Transport, url, token string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := tr.RoundTrip(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%d %s", resp.StatusCode, strings.TrimSpace(string(body)))
	}
	return err
}

// leave ends the calls.
func (c *crowd) leave() {
	c.cancel()
	c.wg.Wait()
}

// report ends the calls, once each manner was tried often enough, and says how many
// there were.
func (c *crowd) report(of string, longest time.Duration) {
	c.t.Helper()
	for manner, n := range c.calls {
		c.eventually("called ten times, "+manner, func() bool { return n.Load() >= 10 })
	}
	c.leave()
	var said []string
	for _, manner := range slices.Sorted(maps.Keys(c.calls)) {
		said = append(said, fmt.Sprintf("%d %s", c.calls[manner].Load(), manner))
	}
	c.t.Logf("%s; in use after %v at most; calls: %s; failed: %d", of, longest.Round(time.Millisecond), strings.Join(said, ", "), c.failed.Load())
	select {
	case <-c.ended:
		c.t.Error("the gate has ended")
	default:
	}
}

// logged says how often a text is in the log.
func (c *crowd) logged(text string) int { return strings.Count(c.log.String(), text) }

// awaits does something, and waits until the log says so once more.
func (c *crowd) awaits(text string, do func()) {
	c.t.Helper()
	n := c.logged(text)
	do()
	c.eventually("logged: "+text, func() bool { return c.logged(text) > n })
}

// inForce waits until a change is, and returns how long that took. It is to be in
// force within a second; the rest is for two cores that have all other tests to do.
func (c *crowd) inForce(what string, so func() bool) time.Duration {
	c.t.Helper()
	begun := time.Now()
	c.eventually(what, so)
	took := time.Since(begun)
	if took > time.Second+atOnce {
		c.t.Errorf("%s after %v", what, took)
	}
	return took
}

// A renewing server ends each connection after a few answers, without a request
// lost: so that its clients make new ones all the while.
type renewing struct {
	http.Handler
	answers int // to each connection
	mu      sync.Mutex
	peers   map[string]int
}

func renews(h http.Handler, answers int) *renewing {
	return &renewing{Handler: h, answers: answers, peers: map[string]int{}}
}

func (r *renewing) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	r.mu.Lock()
	r.peers[q.RemoteAddr]++
	last := r.peers[q.RemoteAddr] >= r.answers
	r.mu.Unlock()
	if last {
		w.Header().Set("Connection", "close")
	}
	r.Handler.ServeHTTP(w, q)
}

// connections says how many there were.
func (r *renewing) connections() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.peers)
}

// Check that the crowd is one that can complain.
func TestCrowdComplains(t *testing.T) {
	t.Parallel()
	w := start(t)
	if err := once(w.way(false), "http://"+w.gate.data.addr()+"/", "x"); err == nil || !strings.HasPrefix(err.Error(), "401") {
		t.Errorf("a bad token: %v", err)
	}
	w.handler.Store(&handler{http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Length", "10")
		rw.WriteHeader(200)
		io.WriteString(rw, "half")
	})})
	if err := once(w.way(true), "http://"+w.gate.data.addr()+"/", w.token()); err == nil {
		t.Error("half an answer is none, and nobody complained")
	}
}
