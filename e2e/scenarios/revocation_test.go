package scenarios

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"sallyport/e2e/caller"
	"sallyport/e2e/wait"
	"sallyport/internal/authn"
	"sallyport/internal/config"
)

// revocationSlack is what comes on top of --recheck and of what the API server
// takes: the pause of who asks, a review that may take 3 s, and two busy cores.
const revocationSlack = 5 * time.Second

// A revoker is a gate that must notice what was deleted.
type revoker struct {
	*gate
	name    string
	recheck time.Duration
}

// Given tokens of one caller each, which another pod has and sends all the time,
// and gates that have admitted them,
// when the callers' pods, their service accounts and the Secret that a token is
// bound to are deleted,
// then each token is refused within --recheck and what the API server itself
// takes, for that reason; and not at all in mode oidc, where nobody asks.
func TestRevocation(t *testing.T) {
	t.Parallel()
	c := newCaller(t)
	oidc := applyWith(t, serving("--mode="+string(config.OIDC)))
	revokers := []*revoker{
		{applyWith(t, serving("--recheck=5s")), "hybrid", 5 * time.Second},
		{applyWith(t, serving("--recheck=5s", "--mode="+string(config.TokenReview))), "tokenreview", 5 * time.Second},
		{deploy(t), "hybrid, as it stands", 30 * time.Second},
	}
	victims := newVictims(t)
	for _, g := range []*gate{revokers[0].gate, revokers[1].gate, oidc} {
		g.waitReady(t)
	}
	for _, v := range victims {
		for _, g := range []*gate{revokers[0].gate, revokers[1].gate, revokers[2].gate, oidc} {
			g.waitReached(t, c)
			g.admits(t, c, v.token, 0)
		}
	}
	for _, v := range victims {
		v.watch(t, c, revokers)
	}
	for _, v := range victims {
		v.delete(t)
	}
	err := wait.For(t.Context(), "the API server and the gates to say no", longest(victims, revokers), func(context.Context) error {
		var open []string
		for _, v := range victims {
			if n := v.open(); n > 0 {
				open = append(open, fmt.Sprintf("%s (%d)", v.name, n))
			}
		}
		if len(open) > 0 {
			return fmt.Errorf("not yet, and by how many: %s", strings.Join(open, ", "))
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	for _, v := range victims {
		v.check(t, c, revokers)
		if a := oidc.with(t, c, v.token); a.Status != http.StatusOK {
			t.Errorf("mode oidc, %s: %v", v.name, a)
		}
	}
	for _, r := range revokers {
		refused := r.metric(t, "sallyport_requests_total", `code="401"`, reasonLabel(authn.Revoked))
		no := r.metric(t, "sallyport_tokenreviews_total", `result="no"`)
		if n := float64(len(victims)); refused < n || no < n {
			t.Errorf("%s: the metrics count %v refusals and %v reviews that said no, of %v tokens", r.name, refused, no, n)
		}
	}
	if n := oidc.metric(t, "sallyport_tokenreviews_total"); n > 0 {
		t.Errorf("mode oidc: %v reviews", n)
	}
}

// longest is when all must have said no.
func longest(victims []*victim, revokers []*revoker) (d time.Duration) {
	for _, v := range victims {
		for _, r := range revokers {
			d = max(d, v.takes+r.recheck+revocationSlack)
		}
	}
	return d
}

// A verdict is a first no.
type verdict struct {
	at     time.Time
	answer caller.Answer // of a gate
	err    error
}

// verdicts are those about one token, by who gave them.
type verdicts struct {
	mu sync.Mutex
	by map[string]*verdict // nil until it is there
}

func (v *verdicts) await(who string, look func() (caller.Answer, error)) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.by == nil {
		v.by = map[string]*verdict{}
	}
	v.by[who] = nil
	go func() {
		answer, err := look()
		v.mu.Lock()
		defer v.mu.Unlock()
		v.by[who] = &verdict{time.Now(), answer, err}
	}()
}

// watchUntilRefused has the caller send the token until it is refused. That may be the
// first time, where its pod hears of it after the token's end.
func (c *callingPod) watchUntilRefused(ctx context.Context, url, token string) (a caller.Answer, err error) {
	data, err := world.ask(ctx, "POST", &c.pod, caller.Port, "watch", caller.Watch{
		Request: caller.Request{URL: url, Token: token},
		Pause:   100 * time.Millisecond, // a small part of what is measured
		Most:    3 * time.Minute,
	})
	if err == nil {
		err = json.Unmarshal(data, &a)
	}
	return a, err
}
