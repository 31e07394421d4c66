package scenarios

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"sallyport/e2e/wait"
)

// endTime is more than terminationGracePeriodSeconds, after which the kubelet
// kills.
const endTime = time.Minute

// An ending is what is seen of a pod's end from outside.
type ending struct {
	began time.Time
	pod   corev1.Pod // as it was last seen
	gone  time.Time  // its object
	// When it was first seen that its endpoint was not ready or not there, and
	// that /readyz was red.
	endpoint, unready time.Time

	watches chan error // one each
	stop    context.CancelFunc
}

// watchEnd begins to watch a pod that is going to be deleted.
func watchEnd(t *testing.T, pod *corev1.Pod) *ending {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), endTime)
	e := &ending{began: time.Now(), stop: stop, watches: make(chan error, 3)}
	pods, err := world.client.CoreV1().Pods(pod.Namespace).
		Watch(ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + pod.Name})
	if err != nil {
		t.Fatal(err)
	}
	slices, err := world.client.DiscoveryV1().EndpointSlices(pod.Namespace).
		Watch(ctx, metav1.ListOptions{LabelSelector: discoveryv1.LabelServiceName + "=" + gateName})
	if err != nil {
		t.Fatal(err)
	}
	for _, watch := range []func() error{
		func() error { return e.watchPod(pods) },
		func() error { return e.watchEndpoint(slices, pod.UID) },
		func() error { return e.watchReadiness(ctx, pod) },
	} {
		go func() { e.watches <- watch() }()
	}
	return e
}

// wait waits until all of it has been seen.
func (e *ending) wait(t *testing.T) {
	t.Helper()
	defer e.stop()
	for range cap(e.watches) {
		if err := <-e.watches; err != nil {
			t.Fatal(err)
		}
	}
}

func (e *ending) watchPod(events watch.Interface) error {
	for event := range events.ResultChan() {
		if pod, ok := event.Object.(*corev1.Pod); ok {
			e.pod = *pod
		}
		if event.Type == watch.Deleted {
			e.gone = time.Now()
			return nil
		}
	}
	return errors.New("the pod has not gone")
}

func (e *ending) watchEndpoint(events watch.Interface, pod types.UID) error {
	for event := range events.ResultChan() {
		if slice, ok := event.Object.(*discoveryv1.EndpointSlice); ok && event.Type != watch.Deleted && !serves(slice, pod) {
			e.endpoint = time.Now()
			return nil
		}
	}
	return errors.New("the endpoint has not gone")
}

// serves tells whether a slice sends anybody to the pod.
func serves(slice *discoveryv1.EndpointSlice, pod types.UID) bool {
	for _, e := range slice.Endpoints {
		if e.TargetRef != nil && e.TargetRef.UID == pod {
			return e.Conditions.Ready == nil || *e.Conditions.Ready
		}
	}
	return false
}

func (e *ending) watchReadiness(ctx context.Context, pod *corev1.Pod) error {
	return wait.For(ctx, "red readiness", endTime, func(ctx context.Context) error {
		answer, err := world.ask(ctx, "GET", pod, 9901, "readyz", nil)
		if err == nil || !strings.Contains(string(answer), "not-ready") {
			return fmt.Errorf("%s, %v", answer, err)
		}
		e.unready = time.Now()
		return nil
	})
}

// exit returns how a container of the pod has ended.
func (e *ending) exit(t *testing.T, container string) *corev1.ContainerStateTerminated {
	t.Helper()
	s := containerStatus(&e.pod, container)
	if s == nil || s.State.Terminated == nil {
		t.Fatalf("%s has not ended: %+v", container, s)
	}
	return s.State.Terminated
}

// containerStatus returns a container's status, nil while there is none.
func containerStatus(pod *corev1.Pod, name string) *corev1.ContainerStatus {
	for _, statuses := range [][]corev1.ContainerStatus{pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses} {
		for i := range statuses {
			if statuses[i].Name == name {
				return &statuses[i]
			}
		}
	}
	return nil
}
