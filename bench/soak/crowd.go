package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// answerTimeout is how long a well-behaved caller waits. A decision takes 8 s at
// most, and the app is never as slow.
const answerTimeout = 15 * time.Second

// A role is a kind of well-behaved caller.
type role struct {
	name string
	// newcomer callers have a token that was never seen, each time; the others keep
	// theirs until they are told otherwise.
	newcomer bool
	token    func() (string, error)
	every    time.Duration
	h2, kept bool // the protocol, and whether connections are
}

func (g *ground) roles() []role {
	return []role{
		{"known", false, g.token, 20 * time.Millisecond, false, true},
		{"known-h2", false, g.token, 20 * time.Millisecond, true, true},
		// Each has a handshake, of which the driver does one half.
		{"fresh", false, g.token, 50 * time.Millisecond, false, false},
		{"person", false, g.person, 50 * time.Millisecond, true, true},
		// Each stays in the gate's memory, see heapOf.
		{"new", true, g.token, 500 * time.Millisecond, true, true},
		{"new-person", true, g.person, 500 * time.Millisecond, true, true},
	}
}

// A crowd is one caller of each role, who call all the while that it is not at rest.
type crowd struct {
	ground *ground
	cancel context.CancelFunc
	wg     sync.WaitGroup
	// turn is held by each call; who holds it alone has everybody at rest.
	turn sync.RWMutex

	mu     sync.Mutex
	tokens map[string]string // by role
	seen   map[string]tally  // by role
}

// A tally counts what calls got: a status, "cut" for an answer that ended too soon,
// and "none" for no answer.
type tally map[string]int

// newCrowd makes a crowd at rest.
func newCrowd(g *ground) *crowd {
	ctx, cancel := context.WithCancel(context.Background())
	c := &crowd{ground: g, cancel: cancel, tokens: map[string]string{}, seen: map[string]tally{}}
	c.turn.Lock()
	for _, r := range g.roles() {
		tr := transport(r.h2)
		tr.DisableKeepAlives = !r.kept
		c.wg.Go(func() { c.play(ctx, r, tr) })
	}
	return c
}

// leaving is how soon a caller who does not call hangs up: later than any calls
// again. To close what is idle is not enough where a call was given up a moment ago,
// as its connection is not idle yet.
const leaving = time.Second

// transport is one caller's way. Whose certificate it sees is not the question here.
func transport(h2 bool) *http.Transport {
	tr := &http.Transport{TLSClientConfig: insecure.Clone(), Protocols: new(http.Protocols), IdleConnTimeout: leaving}
	tr.Protocols.SetHTTP1(!h2)
	tr.Protocols.SetHTTP2(h2)
	return tr
}

func (c *crowd) play(ctx context.Context, r role, tr *http.Transport) {
	for ctx.Err() == nil {
		c.turn.RLock()
		if ctx.Err() == nil {
			c.count(r.name, c.call(ctx, r, tr))
		}
		c.turn.RUnlock()
		select {
		case <-time.After(r.every):
		case <-ctx.Done():
		}
	}
}

func (c *crowd) call(ctx context.Context, r role, tr *http.Transport) string {
	token, err := c.tokenOf(r)
	if err != nil {
		return err.Error()
	}
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	return ask(ctx, tr, "https://"+c.ground.gate.Data+"/", token)
}

// ask returns what a call got.
func ask(ctx context.Context, tr *http.Transport, url, token string) string {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err.Error()
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := tr.RoundTrip(req)
	if err != nil {
		return "none"
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return "cut"
	}
	return fmt.Sprint(resp.StatusCode)
}

func (c *crowd) tokenOf(r role) (string, error) {
	if r.newcomer {
		return r.token()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tokens[r.name] == "" {
		token, err := r.token()
		if err != nil {
			return "", err
		}
		c.tokens[r.name] = token
	}
	return c.tokens[r.name], nil
}

// renew has everybody use another token from the next call on.
func (c *crowd) renew() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.tokens)
}

func (c *crowd) count(role, got string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.seen[role] == nil {
		c.seen[role] = tally{}
	}
	c.seen[role][got]++
}

// rest lets the calls under way end, and returns what they got since begin. The
// connections are closed soon after.
func (c *crowd) rest() map[string]tally {
	c.turn.Lock()
	seen := c.seen
	c.seen = map[string]tally{}
	return seen
}

// begin ends the rest. A crowd begins at rest.
func (c *crowd) begin() { c.turn.Unlock() }

// close ends a crowd that is at rest.
func (c *crowd) close() {
	c.cancel()
	c.begin()
	c.wg.Wait()
}

func (t tally) String() string {
	var parts []string
	for _, got := range slices.Sorted(maps.Keys(t)) {
		parts = append(parts, fmt.Sprintf("%s:%d", got, t[got]))
	}
	return strings.Join(parts, " ")
}
