package scenarios

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sallyport/e2e/caller"
	"sallyport/e2e/wait"
)

// A gate is a deployed example: an app behind Sallyport.
type gate struct {
	namespace string
	binding   string // the ClusterRoleBinding
	pod       corev1.Pod
	service   string // the URL of its Service, by address: there may be no DNS
}

// The gates that scenarios share, by their flags: "" is the example as it stands.
var gates struct {
	sync.Mutex
	shared map[string]*sharedGate
}

type sharedGate struct {
	gate *gate
	text string // of the manifest
}

// deploy applies deploy/sidecar.yaml as it stands apart from the image, waits
// until its pod is ready, and returns it.
func deploy(t *testing.T) *gate {
	t.Helper()
	return share(t, "", func() sharedGate {
		text, err := readManifest()
		if err != nil {
			t.Fatal(err)
		}
		return sharedGate{&gate{namespace: gateNamespace, binding: "sallyport"}, text}
	})
}

// deployShared is deployWith for scenarios that share a gate with these flags:
// where the control plane has just been away, a new pod takes long.
func deployShared(t *testing.T, flags ...string) *gate {
	t.Helper()
	return share(t, strings.Join(flags, " "), func() sharedGate {
		m := parseManifest(t)
		m.serve(flags...)
		return sharedGate{&gate{namespace: m.Namespace.Name, binding: m.ClusterRoleBinding.Name}, m.text(t)}
	})
}

func share(t *testing.T, key string, make func() sharedGate) *gate {
	t.Helper()
	gates.Lock()
	defer gates.Unlock()
	if g, ok := gates.shared[key]; ok {
		return g.gate
	}
	g := make()
	if gates.shared == nil {
		gates.shared = map[string]*sharedGate{}
	}
	gates.shared[key] = &g
	g.gate.apply(t, g.text)
	g.gate.waitReady(t)
	return g.gate
}

// closeShared ends the gates that were shared.
func (w *shared) closeShared(ctx context.Context) (err error) {
	for _, g := range gates.shared {
		err = errors.Join(err, g.gate.check(ctx), g.remove())
	}
	return err
}

func (g *sharedGate) remove() error {
	if out, err := kubectl(g.text, "delete", "--wait=false", "--ignore-not-found", "-f", "-"); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

// deployWith applies deploy/sidecar.yaml with changes, in a namespace that goes
// with the test, and waits until its pod is ready.
func deployWith(t *testing.T, change func(*manifest)) *gate {
	t.Helper()
	g := applyWith(t, change)
	g.waitReady(t)
	return g
}

// serving makes a change for deployWith: more flags.
func serving(flags ...string) func(*manifest) {
	return func(m *manifest) { m.serve(flags...) }
}

// applyWith is deployWith that does not wait: g.pod is not known yet.
func applyWith(t *testing.T, change func(*manifest)) *gate {
	t.Helper()
	m := parseManifest(t)
	change(m)
	text := m.text(t)
	g := &gate{namespace: m.Namespace.Name, binding: m.ClusterRoleBinding.Name}
	t.Cleanup(func() {
		if err := g.check(context.Background()); err != nil {
			t.Error(err)
		}
		if err := (&sharedGate{g, text}).remove(); err != nil {
			t.Error(err)
		}
	})
	g.apply(t, text)
	return g
}

func (g *gate) apply(t *testing.T, text string) {
	t.Helper()
	if out, err := kubectl(text, "apply", "-f", "-"); err != nil {
		t.Fatalf("kubectl apply: %v\n%s", err, out)
	}
	service, err := world.client.CoreV1().Services(g.namespace).Get(t.Context(), gateName, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	g.service = "http://" + service.Spec.ClusterIP
}

func (g *gate) waitReady(t *testing.T) {
	t.Helper()
	g.pod = readyPod(t, g.namespace, "app="+gateName)
}

// waitReached waits until the caller reaches the gate's Service, which is some
// time after the pod is ready.
func (g *gate) waitReached(t *testing.T, c *callingPod) {
	t.Helper()
	err := wait.For(t.Context(), "the Service", podTime, func(context.Context) error {
		if a := c.call(t, caller.Request{URL: g.service + "/healthz"}); a.Status != http.StatusOK {
			return errors.New(a.String())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// metrics returns the page of the gate's metrics.
func (g *gate) metrics(ctx context.Context) ([]byte, error) {
	return world.ask(ctx, "GET", &g.pod, 9901, "metrics", nil)
}

// metric returns the sum of a metric's series that have all of the labels,
// written as in reason="expired".
func (g *gate) metric(t *testing.T, name string, labels ...string) float64 {
	t.Helper()
	return g.page(t).sum(t, name, labels...)
}

// A page is all metrics of one moment.
type page []byte

func (g *gate) page(t *testing.T) page {
	t.Helper()
	data, err := g.metrics(t.Context())
	if err != nil {
		t.Fatal("metrics: ", err)
	}
	return data
}

// sum is gate.metric for a page.
func (p page) sum(t *testing.T, name string, labels ...string) (sum float64) {
	t.Helper()
	for line := range strings.Lines(string(p)) {
		series, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		bare, rest, _ := strings.Cut(series, "{")
		lacks := func(label string) bool { return !strings.Contains(rest, label) }
		if bare != name || slices.ContainsFunc(labels, lacks) {
			continue
		}
		var v float64
		if _, err := fmt.Sscan(value, &v); err != nil {
			t.Fatalf("metric %q: %v", line, err)
		}
		sum += v
	}
	return sum
}

// logged returns the lines of the gate's log for which match is true.
func (g *gate) logged(t *testing.T, match func(map[string]any) bool) (lines []map[string]any) {
	t.Helper()
	data, err := containerLog(t.Context(), &g.pod, "sallyport")
	if err != nil {
		t.Fatal("log: ", err)
	}
	all, err := logLines(data)
	if err != nil {
		t.Error(err)
	}
	for _, line := range all {
		if match(line) {
			lines = append(lines, line)
		}
	}
	return lines
}

// logLines reads a gate's log.
func logLines(log []byte) (lines []map[string]any, err error) {
	scanner := bufio.NewScanner(bytes.NewReader(log))
	for scanner.Scan() {
		var line map[string]any
		if json.Unmarshal(scanner.Bytes(), &line) != nil {
			err = fmt.Errorf("a log line that is no JSON: %s", scanner.Bytes())
			continue
		}
		lines = append(lines, line)
	}
	return lines, err
}

// loggedAt returns the time of the first line with a message.
func loggedAt(t *testing.T, lines []map[string]any, msg string) time.Time {
	t.Helper()
	for _, line := range lines {
		if line["msg"] != msg {
			continue
		}
		text, _ := line["time"].(string)
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	t.Fatalf("the log does not say %q", msg)
	return time.Time{}
}
