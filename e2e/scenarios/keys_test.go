package scenarios

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"sallyport/e2e/cluster"
	"sallyport/e2e/wait"
	"sallyport/internal/authn"
)

// Given a gate and a caller,
// when the API server gets a further signing key, then signs with it, and then -
// the kubelet restarted in between, so that tokens are made anew - loses the old
// one,
// then good tokens are let in all the time, and those of the old key are refused
// in the end.
func TestOwnSigningKeys(t *testing.T) {
	g, c := troubled(t, "hybrid")
	s := world.cluster.Settings()
	old := s.SigningKey
	fresh := newKey(t, "fresh")
	before := c.request(t, gateAudience)
	g.admits(t, c, before, 0)

	reconfigure(t, func(s *cluster.Settings) { s.OldKeys = []string{fresh} })
	g.admits(t, c, before, 0)

	reconfigure(t, func(s *cluster.Settings) { s.SigningKey, s.OldKeys = fresh, []string{old} })
	after := c.request(t, gateAudience)
	t.Logf("new key: first token let in after %v", g.admits(t, c, after, backTime).Round(time.Millisecond))
	g.admits(t, c, before, 0)

	reissue(t, g)
	g.admits(t, c, before, 0)
	g.admits(t, c, after, 0)

	reconfigure(t, func(s *cluster.Settings) { s.OldKeys = nil })
	g.admits(t, c, c.request(t, gateAudience), backTime)
	g.admits(t, c, after, 0)
	took := g.refuses(t, c, before, backTime, authn.Revoked)
	t.Logf("old key dropped: its token refused after %v", took.Round(100*time.Millisecond))
	if n := g.metric(t, "sallyport_tokenreviews_total", `result="unauthorized"`); n != 0 {
		t.Errorf("the API server has refused our own token %v times", n)
	}
	g.unchanged(t)
}

// Given a gate and a caller,
// when the API server changes to another signing key and knows the old one no
// longer, while the tokens in the pods are still the old one's,
// then the gate answers 503 and says that its own token is refused, and decides
// again once the kubelet has replaced it.
func TestOwnTokenRefused(t *testing.T) {
	for _, mode := range []string{"hybrid", "tokenreview"} {
		t.Run(mode, func(t *testing.T) {
			g, c := troubled(t, mode)
			began := time.Now()
			key := newKey(t, "sudden-"+mode)
			reconfigure(t, func(s *cluster.Settings) { s.SigningKey = key })
			t.Cleanup(func() { restartController(t) })

			token := c.request(t, gateAudience)
			// Keys that were fetched a moment ago are not fetched again for a token
			// of an unknown key, which is refused then.
			g.turnsAway(t, c, token, 2*noticeTime, authn.OwnToken)
			g.waitLogged(t, "the cause", func(line map[string]any) bool { return line["level"] == "error" && loggedSince(line, began) },
				func(line map[string]any) bool {
					return strings.Contains(fmt.Sprint(line), "the API server refuses our own token")
				})

			reissue(t, g)
			t.Logf("own token replaced: decides again after %v", g.admits(t, c, token, backTime).Round(100*time.Millisecond))
			g.unchanged(t)
		})
	}
}

func newKey(t *testing.T, name string) string {
	t.Helper()
	file, err := world.cluster.NewKey(name)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// reconfigure restarts the API server with other settings.
func reconfigure(t *testing.T, change func(*cluster.Settings)) {
	t.Helper()
	s := world.cluster.Settings()
	change(&s)
	began := time.Now()
	if err := world.cluster.Reconfigure(context.WithoutCancel(t.Context()), s); err != nil {
		t.Fatal(err)
	}
	t.Logf("API server restarted in %v", time.Since(began).Round(100*time.Millisecond))
}

// reissue has all tokens made anew: the kubelet keeps them in its memory, the
// controllers in theirs. It returns when the gate has read its own.
func reissue(t *testing.T, g *gate) {
	t.Helper()
	rotations := g.rotations(t)
	restartController(t)
	began := time.Now()
	defer func() {
		t.Logf("kubelet restarted: own token replaced after %v", time.Since(began).Round(100*time.Millisecond))
	}()
	if err := world.cluster.Kubelet.Restart(); err != nil {
		t.Fatal(err)
	}
	err := wait.For(t.Context(), "a new token of our own", rotationTime, func(context.Context) error {
		if now := g.rotations(t); now <= rotations {
			return fmt.Errorf("rotations: %v", now)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func restartController(t *testing.T) {
	t.Helper()
	if err := world.cluster.PublishRoots(); err != nil {
		t.Fatal(err)
	}
}
