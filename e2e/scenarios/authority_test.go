package scenarios

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"sallyport/e2e/cluster"
	"sallyport/e2e/wait"
	"sallyport/internal/authn"
)

// rootsTime is how soon the gate must trust a new authority of the cluster's
// that has been written to its volume.
const rootsTime = 10 * time.Second

// Given a gate and a caller that is not known,
// when the API server proves itself by another authority's certificate,
// then the gate answers 503, since it trusts nobody by default; and decides
// within 10 s once the kubelet has written the new authority to its volume.
func TestOwnAuthority(t *testing.T) {
	g, c := troubled(t, "hybrid")
	token := c.request(t, gateAudience)
	roots := filepath.Join(world.cluster.Volume(g.pod.UID, "sallyport-token"), "ca.crt")
	before := readRoots(t, roots)
	t.Cleanup(func() {
		reconfigure(t, func(s *cluster.Settings) { s.Spare = false })
		restartController(t)
		waitRoots(t, roots, func(now []byte) bool { return bytes.Equal(now, before) })
	})
	reconfigure(t, func(s *cluster.Settings) { s.Spare = true })
	g.turnsAway(t, c, token, noticeTime, authn.ReviewFailed)
	// The gate may have known before that the API server was away. Its next look shows why.
	g.waitMetric(t, 0, "sallyport_tokenreviews_total", `result="tls"`)

	restartController(t)
	waitRoots(t, roots, func(now []byte) bool { return !bytes.Equal(now, before) })
	t.Logf("new authority on disk: decides again after %v", g.admits(t, c, token, rootsTime).Round(100*time.Millisecond))
	g.unchanged(t)
}

func readRoots(t *testing.T, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// waitRoots waits until the kubelet has written the authority that is wanted. It
// looks at ConfigMaps when it looks after the pod.
func waitRoots(t *testing.T, file string, wanted func([]byte) bool) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	err := wait.For(ctx, "the authority in the volume", 2*time.Minute, func(context.Context) error {
		if !wanted(readRoots(t, file)) {
			return errors.New("still the other one")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
