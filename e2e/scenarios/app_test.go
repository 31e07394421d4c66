package scenarios

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"sallyport/e2e/app"
	"sallyport/e2e/caller"
	"sallyport/e2e/wait"
)

// testApp puts the tests' own app in the place of the manifest's.
func (m *manifest) testApp(flags ...string) {
	c := m.app()
	c.Image, c.Command, c.Args = *toolsImage, []string{"/app"}, flags
}

// seen reads the app's answer.
func seen(t *testing.T, a caller.Answer) (s app.Seen) {
	t.Helper()
	if err := json.Unmarshal(a.Body, &s); err != nil {
		t.Fatalf("%v, the app's answer: %v", a, err)
	}
	return s
}

// user is how the gate names the caller to the app.
func (c *callingPod) user() string {
	return "system:serviceaccount:" + c.pod.Namespace + ":" + c.account.Name
}

// events reads the log of the app.
func events(t *testing.T, log []byte) (all []app.Event) {
	t.Helper()
	for line := range strings.Lines(string(log)) {
		var e app.Event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("the app's log: %v: %s", err, line)
		}
		all = append(all, e)
	}
	return all
}

// event returns the first event of a kind.
func event(t *testing.T, all []app.Event, what string) app.Event {
	t.Helper()
	for _, e := range all {
		if e.What == what {
			return e
		}
	}
	t.Fatalf("the app tells of no %q: %v", what, all)
	return app.Event{}
}

// waitBegan waits until the pod's app has begun a request of the user's that
// takes a while.
func waitBegan(t *testing.T, pod *corev1.Pod, user string) {
	t.Helper()
	err := wait.For(t.Context(), "a request at the app", podTime, func(ctx context.Context) error {
		log, err := containerLog(ctx, pod, "app")
		if err != nil {
			return err
		}
		for _, e := range events(t, log) {
			if e.What == app.Began && e.User == user {
				return nil
			}
		}
		return errors.New("none")
	})
	if err != nil {
		t.Fatal(err)
	}
}

// follow reads a container's log until the container ends. Where the pod goes,
// its log goes with it. What it returns waits for all of the log.
func follow(t *testing.T, pod *corev1.Pod, container string) func() []byte {
	t.Helper()
	stream, err := world.client.CoreV1().Pods(pod.Namespace).
		GetLogs(pod.Name, &corev1.PodLogOptions{Container: container, Follow: true}).Stream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var log []byte
	var readErr error
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer stream.Close()
		log, readErr = io.ReadAll(stream)
	}()
	return func() []byte {
		<-done
		name := fmt.Sprintf("%s.%s.%s.followed.log", pod.Namespace, pod.Name, container)
		if err := errors.Join(readErr, world.keep(name, log), clean(name, log)); err != nil {
			t.Error(err)
		}
		return log
	}
}
