package scenarios

import (
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sallyport/e2e/caller"
	"sallyport/e2e/cluster"
	"sallyport/internal/authn"
)

// Given a gate and a caller that is known,
// when the file of the gate's own token, in the pod's real volume, goes or becomes
// something else,
// then it is noticed, and known and new callers are let in all the same, with the
// last good token; and so they are with one that is late.
func TestOwnTokenFile(t *testing.T) {
	g, c := troubled(t, "hybrid")
	known := c.request(t, gateAudience)
	g.admits(t, c, known, 0)
	const reviews, refused = "sallyport_tokenreviews_total", `result="unauthorized"`
	before := g.metric(t, reviews, refused)
	file := filepath.Join(world.cluster.Volume(g.pod.UID, "sallyport-token"), "token")
	token, link := readToken(t, file), linkOf(t, file)
	began := time.Now()
	for _, fault := range []struct {
		name string
		make func(path string) error
	}{
		{"deleted", func(string) error { return nil }},
		{"empty", holding("", 0o644)},
		{"torn", holding(token[:len(token)/2], 0o644)},
		{"torn within the signature", holding(token[:len(token)-40], 0o644)},
		{"not a JWT", holding("hello", 0o644)},
		{"1 MB long", holding(strings.Repeat("x", 1<<20), 0o644)},
		{"unreadable: a folder", func(path string) error { return os.Mkdir(path, 0o700) }},
		{"unreadable: links in a circle", func(path string) error { return os.Symlink(file, path) }},
		{"unreadable: another user's", holding(token, 0o600)},
		{"a pipe that nobody writes to", func(path string) error { return syscall.Mkfifo(path, 0o666) }},
	} {
		t.Run(fault.name, func(t *testing.T) {
			const failed = "sallyport_own_token_read_errors_total"
			before := g.metric(t, failed)
			replace(t, file, fault.make)
			defer replace(t, file, link)
			g.waitMetric(t, before, failed)
			g.promptly(t, c, caller.Request{Token: known}, http.StatusOK)
			g.promptly(t, c, caller.Request{Token: c.request(t, gateAudience)}, http.StatusOK)
			g.is(t, true)
		})
	}
	g.waitLogged(t, "that the file cannot be used", func(line map[string]any) bool {
		return line["msg"] == "cannot use the own token's file: the last good token stays in use"
	}, func(line map[string]any) bool { return loggedSince(line, began) })

	rotations, now := g.rotations(t), time.Now()
	late := ownOf(t, g).signFor(t, cluster.Issuer, now.Add(-55*time.Minute), now.Add(5*time.Minute))
	replace(t, file, holding(late, 0o644))
	g.waitMetric(t, rotations, "sallyport_own_token_rotations_total")
	g.promptly(t, c, caller.Request{Token: c.request(t, gateAudience)}, http.StatusOK)
	g.is(t, true)
	g.waitLogged(t, "that the token is late", func(line map[string]any) bool {
		return line["msg"] == "own token is late: the kubelet should have replaced it by now"
	}, func(line map[string]any) bool { return loggedSince(line, now) })
	replace(t, file, link)
	if n := g.metric(t, reviews, refused) - before; n > 0 {
		t.Errorf("the API server has refused our own token %v times", n)
	}
	g.unchanged(t)
}

// replace puts something else in the place of a file. It has another name until
// it is there: the kubelet makes a link anew that is missing.
func replace(t *testing.T, file string, make func(path string) error) {
	t.Helper()
	fresh := file + ".new"
	must(t, make(fresh))
	must(t, os.RemoveAll(file))
	if err := os.Rename(fresh, file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
}

// holding makes a file for replace.
func holding(content string, mode os.FileMode) func(string) error {
	return func(path string) error { return os.WriteFile(path, []byte(content), mode) }
}

// linkOf makes the link that a file is, for replace.
func linkOf(t *testing.T, file string) func(string) error {
	t.Helper()
	to, err := os.Readlink(file)
	must(t, err)
	return func(path string) error { return os.Symlink(to, path) }
}

// Given gates whose own token has expired, by the API server's own word, as the
// kubelet is stuck,
// when known and new callers come,
// then the known are served, the others get 503 and the log says why; the gate is
// ready for --max-stale, and no longer; and when the kubelet has been restarted,
// all is well.
func TestOwnTokenExpired(t *testing.T) {
	c := troubledCaller(t)
	const life, over = time.Hour, 2 * time.Minute // the API server grants a minute more
	for _, tt := range []struct {
		name  string
		flags []string
		ready bool
	}{
		{"for less than --max-stale", nil, true},
		{"for longer than --max-stale", []string{"--max-stale=" + maxStale.String()}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := deployWith(t, serving(append(tt.flags, "--recheck="+recheck.String())...))
			g.waitReached(t, c)
			known, fresh := c.request(t, gateAudience), c.request(t, gateAudience)
			g.admits(t, c, known, 0)
			end := time.Now().Add(-over)
			stale := ownOf(t, g).signFor(t, cluster.Issuer, end.Add(-life), end)
			rotations := g.rotations(t)
			pause(t, world.cluster.Kubelet)
			began := time.Now()
			// Where the kubelet writes: what it finds changed it writes anew.
			must(t, os.WriteFile(filepath.Join(world.cluster.Volume(g.pod.UID, "sallyport-token"), "..data", "token"), []byte(stale), 0o600))
			g.waitMetric(t, rotations, "sallyport_own_token_rotations_total")
			time.Sleep(recheck) // or the known one's confirmation is young enough
			for range 3 {
				g.promptly(t, c, caller.Request{Token: known}, http.StatusOK)
				g.promptly(t, c, caller.Request{Token: fresh}, http.StatusServiceUnavailable)
			}
			g.is(t, tt.ready)
			if n := g.metric(t, "sallyport_tokenreviews_total", `result="unauthorized"`); n == 0 {
				t.Error("the metrics do not know that the API server has refused our own token")
			}

			away := time.Now()
			must(t, world.cluster.Kubelet.Kill())
			must(t, world.cluster.Kubelet.Start())
			t.Logf("kubelet restarted: decides again after %v", g.admits(t, c, fresh, rotationTime).Round(100*time.Millisecond))
			g.waitReady(t)
			g.toldUntil(t, began, away, authn.OwnToken)
			g.waitLogged(t, "that the token has expired", func(line map[string]any) bool {
				msg, _ := line["msg"].(string)
				return strings.HasPrefix(msg, "own token has outlived its lifetime")
			}, func(line map[string]any) bool { return loggedSince(line, began) })
			g.unchanged(t)
		})
	}
}

// ownOf is the gate as the one whose tokens are signed.
func ownOf(t *testing.T, g *gate) *callingPod {
	t.Helper()
	account, err := world.client.CoreV1().ServiceAccounts(g.namespace).Get(t.Context(), gateName, metav1.GetOptions{})
	must(t, err)
	return &callingPod{pod: g.pod, account: *account}
}

func readToken(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	must(t, err)
	learn(string(data))
	return string(data)
}

// is checks what /readyz says.
func (g *gate) is(t *testing.T, ready bool) {
	t.Helper()
	page, err := world.ask(t.Context(), "GET", &g.pod, 9901, "readyz", nil)
	if ready != (err == nil) || !ready && !strings.Contains(string(page), "not-ready") {
		t.Errorf("/readyz: %v: %s; want ready: %v", err, page, ready)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
