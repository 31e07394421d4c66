package fleet

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"sallyport/internal/authn"
	"sallyport/internal/authn/tokenreview"
	"sallyport/internal/cache"
	"sallyport/internal/fairqueue"
)

// maxStale is serve's default.
const maxStale = 10 * time.Minute

// A gate is what serve wires to decide about tokens in mode hybrid, but for the
// check of the signature, which the API server does not feel.
type gate struct {
	cache atomic.Pointer[cache.Cache]
	stop  context.CancelFunc
}

// restart starts the gate, or starts it anew.
func (g *gate) restart(ctx context.Context, f *Fleet) error {
	if g.stop != nil {
		g.stop()
	}
	// As cmd/proxy has it.
	limiter := fairqueue.New(fairqueue.Limits{Rate: 50, Burst: 100, Concurrent: 32})
	reviewer, err := tokenreview.New(tokenreview.Options{
		Host: "https://apiserver", Client: &http.Client{Transport: f.Server},
		Audiences: []string{audience}, New: limiter, Known: limiter,
		OwnToken: func() (string, error) { return "own", nil },
		Log:      zap.NewNop(),
	})
	if err != nil {
		return err
	}
	both := &authn.Both{
		First:      func(context.Context, string) (authn.Identity, error) { return proven(), nil },
		Review:     reviewer,
		Mismatched: func(authn.Identity, authn.Identity) {},
	}
	c, err := cache.New(both, cache.Options{Recheck: f.Recheck, MaxStale: maxStale})
	if err != nil {
		return err
	}
	ctx, g.stop = context.WithCancel(ctx)
	f.wg.Go(func() { _ = reviewer.Run(ctx) }) // it ends with ctx, without an error
	g.cache.Store(c)
	return nil
}

// proven is what the check here says of every token.
func proven() authn.Identity {
	return authn.Identity{Subject: subject, UID: uid, Audiences: []string{audience}, Expires: time.Now().Add(time.Hour)}
}
