package scenarios

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sallyport/e2e/wait"
)

// What deploy/sidecar.yaml says.
const (
	gateNamespace = "sallyport-example"
	gateName      = "example"
	gateAudience  = "example.sallyport-example.svc"
	manifestImage = "sallyport:dev"
)

// podTime is how long a pod may take to start, on two busy cores.
const podTime = 2 * time.Minute

// A gate is the deployed example: an app behind Sallyport.
type gate struct {
	pod     corev1.Pod
	service string // the URL of its Service, by address: there is no DNS
}

// deploy applies deploy/sidecar.yaml as it stands apart from the image, waits
// until its pod is ready, and returns it. Scenarios share it.
func deploy(t *testing.T) *gate {
	t.Helper()
	manifest, err := os.ReadFile("../../deploy/sidecar.yaml")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(string(manifest), "image: "+manifestImage, "image: "+gateImage)
	kubectl := exec.CommandContext(t.Context(), "../bin/kubectl", "--kubeconfig="+world.cluster.Kubeconfig(), "apply", "-f", "-")
	kubectl.Stdin = strings.NewReader(text)
	if out, err := kubectl.CombinedOutput(); err != nil {
		t.Fatalf("kubectl apply: %v\n%s", err, out)
	}
	g := &gate{pod: readyPod(t, gateNamespace, "app="+gateName)}
	service, err := world.client.CoreV1().Services(gateNamespace).Get(t.Context(), gateName, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	g.service = "http://" + service.Spec.ClusterIP
	return g
}

// readyPod waits until one pod has the labels and is ready.
func readyPod(t *testing.T, namespace, labels string) (pod corev1.Pod) {
	t.Helper()
	err := wait.For(t.Context(), "a pod with "+labels, podTime, func(ctx context.Context) error {
		pods, err := world.client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: labels})
		if err != nil {
			return err
		}
		if len(pods.Items) != 1 {
			return fmt.Errorf("%d pods", len(pods.Items))
		}
		pod = pods.Items[0]
		for _, c := range pod.Status.Conditions {
			if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue {
				return nil
			}
		}
		return notReady(pod)
	})
	if err != nil {
		t.Fatal(err)
	}
	return pod
}

// notReady says what a pod's containers wait for.
func notReady(pod corev1.Pod) error {
	err := fmt.Errorf("%s, not ready", pod.Status.Phase)
	for _, s := range append(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses...) {
		if s.State.Waiting != nil {
			err = errors.Join(err, fmt.Errorf("%s: %s %s", s.Name, s.State.Waiting.Reason, s.State.Waiting.Message))
		}
	}
	return err
}

// metric returns the sum of a metric's series that have all of the labels,
// written as in reason="expired".
func (g *gate) metric(t *testing.T, name string, labels ...string) (sum float64) {
	t.Helper()
	data, err := world.client.CoreV1().RESTClient().Get().Namespace(gateNamespace).Resource("pods").
		Name(g.pod.Name + ":9901").SubResource("proxy").Suffix("metrics").DoRaw(t.Context())
	if err != nil {
		t.Fatal("metrics: ", err)
	}
	for line := range strings.Lines(string(data)) {
		series, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		bare, rest, _ := strings.Cut(series, "{")
		if bare != name || !hasAll(rest, labels) {
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

func hasAll(s string, parts []string) bool {
	for _, p := range parts {
		if !strings.Contains(s, p) {
			return false
		}
	}
	return true
}

// logged returns the lines of the gate's log for which match is true.
func (g *gate) logged(t *testing.T, match func(map[string]any) bool) (lines []map[string]any) {
	t.Helper()
	data, err := world.client.CoreV1().Pods(gateNamespace).
		GetLogs(g.pod.Name, &corev1.PodLogOptions{Container: "sallyport"}).DoRaw(t.Context())
	if err != nil {
		t.Fatal("log: ", err)
	}
	scanner := bufio.NewScanner(bytes.NewReader(data))
	for scanner.Scan() {
		var line map[string]any
		if err := json.Unmarshal(scanner.Bytes(), &line); err != nil {
			t.Errorf("a log line that is no JSON: %s", scanner.Bytes())
			continue
		}
		if match(line) {
			lines = append(lines, line)
		}
	}
	return lines
}
