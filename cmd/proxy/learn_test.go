package main

import (
	"strings"
	"testing"
)

// An audience that turns out to be the API server's lets every pod's default
// token in, and is said aloud however we know of it.
func TestAudienceOfTheAPIServerIsSaid(t *testing.T) {
	t.Parallel()
	w := start(t, "--audience=https://kubernetes.default.svc.cluster.local")
	w.eventually("warned", func() bool {
		return strings.Contains(w.log.String(), "is the API server's audience too")
	})
}
