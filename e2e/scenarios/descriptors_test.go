package scenarios

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"sallyport/e2e/caller"
	"sallyport/e2e/wait"
)

// fewFiles is enough for a gate that runs, and a few connections more.
const fewFiles = 40

// promptly is what an answer may take that waits for nobody, on two busy cores.
const promptly = 2 * time.Second

// Given a gate and a caller that is known,
// when it may open a few files more, and somebody opens far more connections,
// then known and new callers are served all the same, and its pod stays ready:
// connections that are idle have to go.
func TestOwnDescriptors(t *testing.T) {
	g, c := deployWith(t, func(*manifest) {}), troubledCaller(t)
	g.waitReached(t, c)
	known := c.request(t, gateAudience)
	g.admits(t, c, known, 0)
	since := readySince(g.look(t))
	limitFiles(t, g.pid(t), fewFiles)
	g.hold(t, 2*fewFiles)
	g.waitLogged(t, "that there are no more files", func(line map[string]any) bool {
		msg, _ := line["msg"].(string)
		return strings.Contains(msg, "cannot take new connections")
	}, func(map[string]any) bool { return true })

	for range 5 {
		g.promptly(t, c, caller.Request{Token: known}, http.StatusOK)
		// net/http tries again to take a connection after 1 s at most.
		g.within(t, c, caller.Request{Token: c.request(t, gateAudience), Alone: true}, http.StatusOK, time.Second+promptly)
		g.is(t, true)
	}
	if n := g.metric(t, "sallyport_connections_closed_total", `cause="idle"`); n == 0 {
		t.Error("the metrics know of no connection that was closed for others")
	}
	g.unchanged(t)
	if now := readySince(g.look(t)); !now.Equal(since) {
		t.Errorf("the pod is ready since %v, was since %v", now, since)
	}
}

// limitFiles sets how many files a process may have open. It is done by the
// user that the gate runs as: for another's process root needs a right that
// virtual machines may lack.
func limitFiles(t *testing.T, pid, n int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "prlimit", fmt.Sprintf("--pid=%d", pid), fmt.Sprintf("--nofile=%d:", n))
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65532, Gid: 65532}}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("prlimit: %v: %s", err, out)
	}
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d files open, %d allowed", len(open), n)
}

// hold opens connections to the gate, each of which has had an answer or waits
// for one, until the test ends.
func (g *gate) hold(t *testing.T, n int) {
	t.Helper()
	for range n {
		conn, err := net.DialTimeout("tcp", net.JoinHostPort(g.pod.Status.PodIP, "8443"), promptly)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		// One that sends nothing would be closed after 10 s.
		fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: gate\r\n\r\n")
	}
}

// promptly sends a request to the gate, which must be answered like that without
// a wait for anybody.
func (g *gate) promptly(t *testing.T, c *callingPod, r caller.Request, status int) {
	t.Helper()
	g.within(t, c, r, status, promptly)
}

func (g *gate) within(t *testing.T, c *callingPod, r caller.Request, status int, most time.Duration) {
	t.Helper()
	r.URL = g.service + "/" + t.Name()
	if a := c.call(t, r); a.Status != status || complete(a) != nil || a.Took > most {
		t.Errorf("answer: %v after %v, want %d within %v", a, a.Took, status, most)
	}
}

// waitMetric waits until the series are more than n.
func (g *gate) waitMetric(t *testing.T, n float64, name string, labels ...string) {
	t.Helper()
	err := wait.For(t.Context(), name, time.Minute, func(ctx context.Context) error {
		data, err := g.metrics(ctx) // a gate that has just begun may not listen yet
		if err == nil && page(data).sum(t, name, labels...) <= n {
			err = errors.New("not more than before")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
