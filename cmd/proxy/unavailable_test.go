package main

import (
	"testing"
	"time"

	"sallyport/internal/minicluster"
)

// With serve-verified the local check suffices: a caller that was confirmed
// before must not fare worse than a new one when the API server begins to hang.
func TestServeVerifiedWhileTheAPIServerHangs(t *testing.T) {
	t.Parallel()
	w := start(t, "--recheck=1s", "--when-unavailable=serve-verified")
	known := w.token()
	w.want(200, known)
	w.cluster.Fail(minicluster.Reviews, minicluster.Fault{Hang: true})
	defer w.cluster.Heal()
	time.Sleep(1200 * time.Millisecond)
	w.want(200, known)
	w.want(200, known) // while the review goes on
}
