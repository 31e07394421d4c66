package scenarios

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"sallyport/e2e/caller"
	"sallyport/e2e/wait"
	"sallyport/internal/authn"
	"sallyport/internal/config"
)

// Given gates in each mode, and a caller that they know,
// when the API server is away, or hangs, and the gates are killed, so that the
// kubelet starts them again,
// then they refuse nobody: all callers get 503, and what needs keys has not
// started; and when the API server is back, all are let in.
func TestOwnBornInOutage(t *testing.T) {
	c := troubledCaller(t)
	gone := map[config.Mode]*gate{}
	for _, mode := range []config.Mode{config.Hybrid, config.OIDC, config.TokenReview} {
		gone[mode] = applyWith(t, serving("--mode="+string(mode)))
	}
	hung := applyWith(t, func(*manifest) {})
	for _, g := range []*gate{gone[config.Hybrid], gone[config.OIDC], gone[config.TokenReview], hung} {
		g.waitReady(t)
		g.waitReached(t, c)
	}
	token := c.request(t, gateAudience)

	t.Run("away", func(t *testing.T) {
		began := time.Now()
		ids := map[config.Mode]string{}
		for mode, g := range gone {
			g.admits(t, c, token, 0)
			ids[mode] = g.containerID(t)
		}
		killAPIServer(t)
		for mode, g := range gone {
			g.bearAgain(t, c, ids[mode])
			g.isBorn(t, c, token, mode == config.TokenReview)
		}
		away := time.Now()
		startAPIServer(t)
		for mode, g := range gone {
			t.Logf("%s: decides after %v", mode, g.admits(t, c, token, backTime).Round(100*time.Millisecond))
			reason := authn.KeysUnavailable
			if mode == config.TokenReview {
				reason = authn.ReviewFailed
			}
			g.toldUntil(t, began, away, reason)
			g.waitReady(t)
		}
	})
	t.Run("hanging", func(t *testing.T) {
		hung.admits(t, c, token, 0)
		id := hung.containerID(t)
		pauseAPIServer(t)
		hung.bearAgain(t, c, id)
		hung.isBorn(t, c, token, false)
		goOn(t, world.cluster.APIServer)
		t.Logf("decides after %v", hung.admits(t, c, token, backTime).Round(100*time.Millisecond))
		hung.waitReady(t)
	})
}

// bearAgain kills the gate's container, and waits until another one answers.
func (g *gate) bearAgain(t *testing.T, c *callingPod, id string) {
	t.Helper()
	const born = "process_start_time_seconds"
	before := g.metric(t, born)
	if err := world.cluster.KillContainer(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	err := wait.For(t.Context(), "the gate's restart", podTime, func(ctx context.Context) error {
		data, err := g.metrics(ctx)
		if err != nil {
			return err
		}
		if page(data).sum(t, born) == before {
			return errors.New("it is still there")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// isBorn checks a gate that has never seen the API server: 503 for a good token
// and at once, and whether it has started.
func (g *gate) isBorn(t *testing.T, c *callingPod, token string, started bool) {
	t.Helper()
	err := wait.For(t.Context(), "/startupz", noticeTime, func(ctx context.Context) error {
		page, err := world.ask(ctx, "GET", &g.pod, 9901, "startupz", nil)
		if started != (err == nil) || !started && !bytes.Contains(page, []byte("not-started")) {
			return fmt.Errorf("/startupz: %v: %s", err, page)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	for range 3 {
		a := c.call(t, caller.Request{URL: g.service + "/" + t.Name(), Token: token, Alone: true})
		if a.Status != http.StatusServiceUnavailable || complete(a) != nil || a.Took > slowest {
			t.Errorf("answer: %v after %v, want 503", a, a.Took)
		}
	}
}
