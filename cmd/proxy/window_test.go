package main

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"sallyport/internal/minicluster"
)

// Before anything is known of the cluster, nobody is refused and nobody let in.
func TestNobodyIsRefusedBeforeWeKnow(t *testing.T) {
	for _, mode := range modes {
		for name, change := range map[string]func(w *world){
			"the API server hangs":   func(w *world) { w.cluster.Fail(minicluster.All, minicluster.Fault{Hang: true}) },
			"the API server is down": func(w *world) { w.server.Stop() },
			"no token of our own": func(w *world) {
				w.gate.config.TokenFile = filepath.Join(filepath.Dir(w.kubelet.Path()), "missing")
			},
			"our own token is refused": func(w *world) { w.cluster.Fail(minicluster.All, minicluster.Fault{Status: 401}) },
			"forbidden":                func(w *world) { w.cluster.Fail(minicluster.All, minicluster.Fault{Status: 403}) },
		} {
			t.Run(mode+" "+name, func(t *testing.T) {
				t.Parallel()
				w := start(t, "--mode="+mode)
				w.stop()
				change(w)
				defer w.cluster.Heal()
				g, err := newGate(w.gate.config, w.log)
				must(t, err)
				w.gate = g
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan error, 1)
				go func() { done <- g.run(ctx) }()
				defer func() { cancel(); <-done }()
				token := w.token()
				for range 8 {
					w.want(503, token)
					time.Sleep(20 * time.Millisecond)
				}
				if code, text := w.admin("/startupz"); code != 503 && (mode != "tokenreview" || name == "no token of our own") {
					t.Errorf("/startupz: %d %s", code, text)
				}
			})
		}
	}
}
