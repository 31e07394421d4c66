package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sallyport/internal/config"
	"sallyport/internal/minicluster"
)

// A world is everything around a gate: a cluster on loopback, our own token in a
// projected volume, an app, and the gate as `sallyport serve` wires it.
type world struct {
	t       testing.TB
	cluster *minicluster.Cluster
	server  *minicluster.Server
	kubelet *minicluster.Kubelet
	app     *httptest.Server
	// handler is what the app does; echo, unless a test stores another.
	handler atomic.Pointer[handler]
	gate    *gate
	log     *logBuffer
	dir     string // scratch
	// stop ends the gate as SIGTERM does, and returns what run returned.
	stop  func() error
	ended chan struct{} // closed when it has
}

type handler struct{ http.Handler }

// audience is the gate's.
const audience = "my-app"

// start starts a world. The arguments are flags of serve, added to those that
// say where everything is; a line of the configuration file begins with "file:".
func start(t testing.TB, args ...string) *world {
	t.Helper()
	w := around(t)
	w.serve(w.dir, args)
	return w
}

// around starts a world without its gate.
func around(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, log: &logBuffer{}, dir: t.TempDir()}
	var err error
	w.cluster, err = minicluster.New(minicluster.Options{Keys: minicluster.SharedKeys(0, 1), CacheTTL: -1})
	must(t, err)
	w.server, err = w.cluster.Serve()
	must(t, err)
	t.Cleanup(w.server.Stop)
	w.cluster.CreateServiceAccount("gate", "gate")
	w.cluster.CreatePod("gate", "gate-0", "gate", "")
	w.cluster.Grant("system:serviceaccount:gate:gate", minicluster.Review)
	w.cluster.CreateServiceAccount("ns", "caller")
	w.cluster.CreatePod("ns", "caller-0", "caller", "")
	w.kubelet, err = w.cluster.Mount(minicluster.Mount{
		Dir:     filepath.Join(w.dir, "volume"),
		Request: minicluster.Request{Namespace: "gate", ServiceAccount: "gate", Pod: "gate-0"},
		Files:   func() map[string][]byte { return map[string][]byte{"ca.crt": w.server.CAPEM()} },
	})
	must(t, err)
	w.handler.Store(&handler{echoHandler()})
	w.app = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { w.handler.Load().ServeHTTP(rw, r) }))
	t.Cleanup(w.app.Close)
	return w
}

// flags are those of serve: the arguments, and those that say where everything
// is. The files that they name are in dir.
func (w *world) flags(dir string, args []string) []string {
	w.t.Helper()
	kubeconfig := filepath.Join(dir, "kubeconfig")
	must(w.t, os.WriteFile(kubeconfig, []byte(fmt.Sprintf(`{"apiVersion":"v1","kind":"Config","current-context":"c",
"clusters":[{"name":"c","cluster":{"server":%q,"certificate-authority":%q}}],
"contexts":[{"name":"c","context":{"cluster":"c","user":"u"}}],"users":[{"name":"u"}]}`,
		w.server.URL(), filepath.Join(filepath.Dir(w.kubelet.Path()), "ca.crt"))), 0o600))
	var all []string
	file := ""
	for _, a := range args {
		if line, ok := strings.CutPrefix(a, "file:"); ok {
			file += line + "\n"
		} else {
			all = append(all, a)
		}
	}
	for _, a := range []string{
		"--kubeconfig=" + kubeconfig, "--token-file=" + w.kubelet.Path(), "--upstream=" + w.app.URL,
		"--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0", "--debug-listen=127.0.0.1:0",
		"--drain-delay=0s", "--shutdown-grace=5s", "--log-level=debug", "--audience=" + audience,
	} {
		flag, _, _ := strings.Cut(a, "=")
		if !strings.Contains(strings.Join(all, " "), flag+"=") {
			all = append(all, a)
		}
	}
	if file != "" {
		path := filepath.Join(dir, "sallyport.yaml")
		must(w.t, os.WriteFile(path, []byte(file), 0o600))
		all = append(all, "--config="+path)
	}
	return all
}

func (w *world) serve(dir string, args []string) {
	w.t.Helper()
	w.launch(dir, args)
	w.eventually("started", func() bool { code, _ := w.admin("/startupz"); return code == http.StatusOK })
}

// launch starts the gate, and does not wait until it has started.
func (w *world) launch(dir string, args []string) {
	w.t.Helper()
	c, err := config.Load(w.flags(dir, args))
	must(w.t, err)
	w.gate, err = newGate(c, w.log)
	must(w.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	w.ended = make(chan struct{})
	go func() { defer close(w.ended); done <- w.gate.run(ctx) }()
	w.stop = sync.OnceValue(func() error { cancel(); return <-done })
	w.t.Cleanup(func() { w.stop() })
}

// token issues a token of the caller's for our audience.
func (w *world) token(audiences ...string) string {
	w.t.Helper()
	if len(audiences) == 0 {
		audiences = []string{audience}
	}
	token, err := w.cluster.Token(minicluster.Request{Namespace: "ns", ServiceAccount: "caller", Pod: "caller-0", Audiences: audiences})
	must(w.t, err)
	return token
}

// An answer is what a caller got.
type answer struct {
	code   int
	header http.Header
	body   string
	seen   map[string]any // what the app saw, if it was reached
}

// get calls the gate with a token, or with none where it is "".
func (w *world) get(token string, headers ...string) answer {
	w.t.Helper()
	return w.getPath("/", token, headers...)
}

func (w *world) getPath(path, token string, headers ...string) answer {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, "http://"+w.gate.data.addr()+path, nil)
	must(w.t, err)
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Add(headers[i], headers[i+1])
	}
	return w.do(http.DefaultClient, req)
}

func (w *world) do(client *http.Client, req *http.Request) answer {
	w.t.Helper()
	resp, err := client.Do(req)
	must(w.t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	must(w.t, err)
	a := answer{code: resp.StatusCode, header: resp.Header, body: string(body)}
	json.Unmarshal(body, &a.seen)
	return a
}

// want checks the status of a call with that token.
func (w *world) want(code int, token string) {
	w.t.Helper()
	if a := w.get(token); a.code != code {
		w.t.Errorf("%d %q, want %d", a.code, a.header.Get("WWW-Authenticate")+a.body, code)
	}
}

func (w *world) admin(path string) (int, string) {
	resp, err := http.Get("http://" + w.gate.admin.addr() + path)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body)
}

// eventually waits, at most 10 s, until something is so.
func (w *world) eventually(what string, so func() bool) {
	w.t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for !so() {
		if time.Now().After(deadline) {
			_, ready := w.admin("/readyz")
			w.t.Fatalf("not %s within 10 s; /readyz: %s; log:\n%s", what, ready, w.log.tail())
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// metric returns the value of one series as it is written, "" where it is absent.
func (w *world) metric(series string) string {
	_, text := w.admin("/metrics")
	for line := range strings.Lines(text) {
		if v, ok := strings.CutPrefix(line, series+" "); ok {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A logBuffer is a log that may be read while it is written.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// tail returns the last lines, for a failure's message.
func (l *logBuffer) tail() string {
	lines := strings.Split(l.String(), "\n")
	return strings.Join(lines[max(0, len(lines)-15):], "\n")
}
