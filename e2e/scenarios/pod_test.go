package scenarios

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sallyport/e2e/wait"
)

// podTime is how long a pod may take to start, on two busy cores.
const podTime = 2 * time.Minute

// readyPod waits until one pod has the labels and is ready. Pods that are ending
// do not count.
func readyPod(t *testing.T, namespace, labels string) corev1.Pod {
	t.Helper()
	return readyPods(t, namespace, labels, 1)[0]
}

// readyPods is readyPod for n pods.
func readyPods(t *testing.T, namespace, labels string, n int) (pods []corev1.Pod) {
	t.Helper()
	err := wait.For(t.Context(), "pods with "+labels, podTime, func(ctx context.Context) (err error) {
		if pods, err = livePods(ctx, namespace, labels); err != nil {
			return err
		}
		if len(pods) != n {
			return fmt.Errorf("%d pods", len(pods))
		}
		for _, p := range pods {
			if !isReady(&p) {
				return notReady(p)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return pods
}

func livePods(ctx context.Context, namespace, labels string) (live []corev1.Pod, err error) {
	pods, err := world.client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: labels})
	if err != nil {
		return nil, err
	}
	for _, p := range pods.Items {
		if p.DeletionTimestamp == nil {
			live = append(live, p)
		}
	}
	return live, nil
}

func isReady(pod *corev1.Pod) bool {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
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

// containerLog returns what a container has written, those before it not.
func containerLog(ctx context.Context, pod *corev1.Pod, container string) ([]byte, error) {
	return world.client.CoreV1().Pods(pod.Namespace).
		GetLogs(pod.Name, &corev1.PodLogOptions{Container: container}).DoRaw(ctx)
}

// ask sends a request to a pod: through the API server, and on a cluster of our
// own, where that may be away, straight. in becomes the body as JSON.
func (w *shared) ask(ctx context.Context, method string, pod *corev1.Pod, port int, path string, in any) ([]byte, error) {
	var body io.Reader = http.NoBody
	if in != nil {
		data, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(data)
	}
	if w.cluster != nil {
		address := net.JoinHostPort(pod.Status.PodIP, strconv.Itoa(port))
		return askDirectly(ctx, method, "http://"+address+"/"+path, body)
	}
	return w.client.CoreV1().RESTClient().Verb(method).Namespace(pod.Namespace).Resource("pods").
		Name(fmt.Sprintf("%s:%d", pod.Name, port)).SubResource("proxy").Suffix(path).Body(body).DoRaw(ctx)
}

func askDirectly(ctx context.Context, method, url string, body io.Reader) ([]byte, error) {
	// More than the caller's pod waits for an answer that it passes on.
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode >= 300 {
		err = fmt.Errorf("%s %s: %s: %s", method, url, resp.Status, data)
	}
	return data, err
}
