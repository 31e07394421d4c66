package scenarios

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"time"

	"sallyport/e2e/caller"
	"sallyport/e2e/provider"
	"sallyport/e2e/wait"
	"sallyport/internal/authn"
)

const (
	// fetchTime is the longest that a request may wait for an issuer's keys: 3 s
	// for the fetch, and what a decision takes on two busy cores.
	fetchTime = 5 * time.Second
	// recoveryTime is promised for keys that can be fetched again.
	recoveryTime = 10 * time.Second
)

// Given a provider that is away, a gate that starts meanwhile, and the cluster's
// own callers under load,
// when the provider comes, hangs, refuses connections and comes back,
// then people whose keys are known are let in all the time, those whose keys are
// not get 503 with Retry-After in seconds, and nobody else notices.
func TestPeopleOutage(t *testing.T) {
	t.Parallel()
	p, c := newProvider(t), newCaller(t)
	p.behave(t, provider.Refuse)
	g := deployFor(t, p, c, "")
	c.startLoad(t, caller.Load{
		Request: caller.Request{URL: g.service + "/load", TokenFile: ownToken},
		Workers: 2, Pause: 50 * time.Millisecond,
	})
	known := p.token(t, mara())
	g.waitsFor(t, c, known, "away at the start")
	p.behave(t, provider.Answer)
	g.recovers(t, c, known)

	p.waitQuiet(t)
	p.behave(t, provider.Hang)
	unsent := p.token(t, mara()) // by the key that is known
	p.addKey(t)
	unknown := p.token(t, mara())
	// The first causes a fetch and waits for it. The others are told at once, as
	// the fetch has failed; none may take longer than the first.
	for i := range 5 {
		g.waitsFor(t, c, unknown, fmt.Sprintf("hanging, request %d", i+1))
	}
	g.letsIn(t, c, known, "known, hanging")
	g.letsIn(t, c, unsent, "known by its key alone, hanging")

	p.behave(t, provider.Refuse)
	g.waitsFor(t, c, unknown, "refusing")
	g.letsIn(t, c, known, "known, refusing")

	p.behave(t, provider.Answer)
	g.recovers(t, c, unknown)
	g.letsIn(t, c, known, "known, back")

	tally := c.stopLoad(t)
	t.Logf("%d requests of the cluster's own, %d failed", tally.Sent, tally.Failed())
	if tally.Sent == 0 || tally.Failed() > 0 {
		t.Errorf("statuses %v: %q", tally.Statuses, tally.Problems)
	}
	p.sawNoCredential(t)
}

// waitsFor expects the answer to a token whose key cannot be had: 503, soon, and
// for the provider's sake. Readiness stays green.
func (g *gate) waitsFor(t *testing.T, c *callingPod, token, what string) {
	t.Helper()
	path := "/outage/" + strconv.FormatInt(time.Now().UnixNano(), 36)
	began := time.Now()
	a := c.call(t, caller.Request{URL: g.service + path, Token: token})
	took := time.Since(began)
	t.Logf("%s: %d after %v, Retry-After %q", what, a.Status, took.Round(time.Millisecond), a.Header.Get("Retry-After"))
	seconds, err := strconv.Atoi(a.Header.Get("Retry-After"))
	if a.Status != http.StatusServiceUnavailable || err != nil || seconds < 1 {
		t.Errorf("%s: %v, Retry-After %q", what, a, a.Header.Get("Retry-After"))
	}
	if took > fetchTime {
		t.Errorf("%s: answered after %v", what, took)
	}
	g.tells(t, path, authn.KeysUnavailable)
	if data, err := world.ask(t.Context(), "GET", &g.pod, 9901, "readyz", nil); err != nil {
		t.Errorf("%s: not ready: %v: %s", what, err, data)
	}
}

// letsIn expects 200 without a wait for anybody.
func (g *gate) letsIn(t *testing.T, c *callingPod, token, what string) {
	t.Helper()
	began := time.Now()
	a := c.call(t, caller.Request{URL: g.service + "/people", Token: token})
	took := time.Since(began)
	if a.Status != http.StatusOK || took > fetchTime/2 {
		t.Errorf("%s: %v after %v", what, a, took)
	}
}

// recovers waits until a token is good.
func (g *gate) recovers(t *testing.T, c *callingPod, token string) {
	t.Helper()
	began := time.Now()
	err := wait.For(t.Context(), "the provider's keys", recoveryTime, func(context.Context) error {
		switch a := c.call(t, caller.Request{URL: g.service + "/people", Token: token}); a.Status {
		case http.StatusOK:
			return nil
		case http.StatusServiceUnavailable:
			return fmt.Errorf("answer: %v", a)
		default:
			return wait.Stop(fmt.Errorf("answer: %v", a))
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("recovered after %v", time.Since(began).Round(time.Millisecond))
}
