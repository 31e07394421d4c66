package main

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"sallyport/internal/minicluster"
)

// tokenless starts a second gate whose own token is not written yet, and returns
// the world with it and what writes the token.
func (w *world) tokenless() (*world, func()) {
	w.t.Helper()
	c := *w.gate.config
	c.TokenFile, c.TokenFileSet = filepath.Join(w.t.TempDir(), "token"), true
	late := &world{t: w.t, log: w.log}
	var err error
	late.gate, err = newGate(&c, w.log)
	must(w.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- late.gate.run(ctx) }()
	w.t.Cleanup(func() { cancel(); <-done })
	return late, func() {
		token, err := os.ReadFile(w.kubelet.Path())
		must(w.t, err)
		must(w.t, os.WriteFile(c.TokenFile, token, 0o600))
	}
}

// While our own token has not said which audiences are the API server's, nobody
// can say that a token is not good there too, unless it is for us alone.
func TestFurtherAudienceBeforeOwnToken(t *testing.T) {
	t.Parallel()
	for _, mode := range modes {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			p := newProvider(t)
			w := start(t, append(p.config(), "--mode="+mode)...)
			late, write := w.tokenless()
			late.eventually("able to check the provider's tokens", func() bool { return late.get(p.token(t, nil)).code == 200 })
			both := p.token(t, map[string]any{"aud": []string{"people", minicluster.DefaultIssuer}})
			late.want(503, both)
			write()
			late.eventually("refused", func() bool { return late.get(both).code == 401 })
			late.want(200, p.token(t, nil))
		})
	}
}
