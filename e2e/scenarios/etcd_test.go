package scenarios

import (
	"context"
	"net/http"
	"syscall"
	"testing"
	"time"

	"sallyport/e2e/caller"
)

// Given callers that are known and others that are not,
// when the API server's etcd hangs, for longer than the API server remembers its
// answers,
// then nobody is refused: the API server knows from memory who is there.
func TestOwnEtcd(t *testing.T) {
	g, c := troubled(t, "hybrid")
	known := c.request(t, gateAudience)
	g.admits(t, c, known, 0)
	var fresh []string // there are no new ones without etcd
	for range 5 {
		fresh = append(fresh, c.request(t, gateAudience))
	}
	const reviews, no = "sallyport_tokenreviews_total", `result="no"`
	before := g.metric(t, reviews, no)
	pause(t, world.cluster.Etcd)
	t.Cleanup(func() {
		if err := world.cluster.WaitServed(context.Background()); err != nil {
			t.Error(err)
		}
	})
	for _, token := range fresh {
		g.within(t, c, caller.Request{Token: token}, http.StatusOK, slowest)
		g.within(t, c, caller.Request{Token: known}, http.StatusOK, slowest)
		time.Sleep((cacheTime + recheck) / time.Duration(len(fresh)))
	}
	g.within(t, c, caller.Request{Token: known}, http.StatusOK, slowest)
	if n := g.metric(t, reviews, no) - before; n > 0 {
		t.Errorf("the API server has said no %v times", n)
	}
	goOn(t, world.cluster.Etcd)
	g.admits(t, c, known, backTime)
	g.unchanged(t)
}

// Given callers that are known and others that are not,
// when the API server is as slow as one that gets half a CPU second by second,
// then all are let in.
func TestOwnSluggish(t *testing.T) {
	g, c := troubled(t, "hybrid")
	known := c.request(t, gateAudience)
	g.admits(t, c, known, 0)
	var fresh []string
	for range 8 {
		fresh = append(fresh, c.request(t, gateAudience))
	}
	const half = 500 * time.Millisecond
	ctx, stop := context.WithCancel(t.Context())
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		for ctx.Err() == nil {
			world.cluster.APIServer.Signal(syscall.SIGSTOP)
			time.Sleep(half)
			world.cluster.APIServer.Signal(syscall.SIGCONT)
			time.Sleep(half)
		}
	}()
	t.Cleanup(func() { stop(); <-stopped })
	for _, token := range fresh {
		g.within(t, c, caller.Request{Token: known}, http.StatusOK, slowest)
		g.within(t, c, caller.Request{Token: token}, http.StatusOK, slowest)
		time.Sleep(half / 2) // not in step
	}
	stop()
	<-stopped
	g.unchanged(t)
}
