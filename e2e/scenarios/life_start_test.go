package scenarios

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sallyport/e2e/app"
	"sallyport/e2e/wait"
)

// lateCA is the ConfigMap that has the CA in place of kube-root-ca.crt.
const lateCA = "late-ca"

// withLateCA has the gate's volume take the CA from lateCA, where it is not yet
// or another one's.
func withLateCA(ca ...string) func(*manifest) {
	return func(m *manifest) {
		m.testApp()
		for _, v := range m.pod().Volumes {
			for _, s := range v.Projected.Sources {
				if s.ConfigMap != nil {
					s.ConfigMap.Name = lateCA
				}
			}
		}
		for _, text := range ca {
			m.ConfigMaps = append(m.ConfigMaps, corev1.ConfigMap{
				ObjectMeta: metav1.ObjectMeta{Name: lateCA}, Data: map[string]string{"ca.crt": text},
			})
		}
	}
}

// Given a gate whose cluster's CA is late, as it may be in a new namespace,
// when its pod has started,
// then the app is not, and the gate says why; and when the CA has come, it is.
func TestStartWithoutCA(t *testing.T) {
	t.Parallel()
	g := applyWith(t, withLateCA())
	g.holdsApp(t, "own token: the API server's CA file is missing", "no CA certificates yet")
	given := time.Now()
	writeLateCA(t, g.namespace)
	g.letsAppStart(t, given)
}

// Given a gate that was given another CA than the API server's,
// when its pod has started,
// then the app is not, and the gate says why; and when the CA is the right one,
// it is.
func TestStartWithAnotherCA(t *testing.T) {
	t.Parallel()
	g := applyWith(t, withLateCA(someCA(t)))
	g.holdsApp(t, "keys: ", "certificate signed by unknown authority")
	given := time.Now()
	writeLateCA(t, g.namespace)
	g.letsAppStart(t, given)
}

// Given a gate that may not read the cluster's keys: its rights are missing, and
// those that a cluster gives to all service accounts,
// when its pod has started,
// then the app is not, and the gate says why; and when it has the rights, it is.
func TestOwnStartWithoutRights(t *testing.T) {
	takeDiscovery(t)
	var subjects []rbacv1.Subject
	g := applyWith(t, func(m *manifest) {
		m.testApp()
		subjects, m.ClusterRoleBinding.Subjects = m.ClusterRoleBinding.Subjects, nil
	})
	g.holdsApp(t, "keys: ", "answered 403; grant our service account get")
	given := time.Now()
	bindings := world.client.RbacV1().ClusterRoleBindings()
	binding, err := bindings.Get(t.Context(), g.binding, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	binding.Subjects = subjects
	if _, err := bindings.Update(t.Context(), binding, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	g.letsAppStart(t, given)
}

// held is how long the app must not have started: some of the startup probes'
// seconds.
const held = 5 * time.Second

// holdsApp waits until the gate runs, and checks that the app does not, and that
// the gate says why: to who is in the pod, to nobody else, and in its log.
func (g *gate) holdsApp(t *testing.T, condition, why string) {
	t.Helper()
	g.pod = g.runningGate(t)
	g.waitRed(t, condition)
	admin := forward(t, &g.pod, 9901)
	// The CA may be late without our doing, after the control plane was away.
	err := wait.For(t.Context(), "the reason", podTime, func(ctx context.Context) error {
		page, err := askDirectly(ctx, "GET", admin+"/startupz", nil)
		if err == nil {
			return wait.Stop(errors.New("it has started"))
		}
		if !bytes.HasPrefix(page, []byte("not-started\n"+condition)) {
			return fmt.Errorf("/startupz: %s", page)
		}
		log, err := containerLog(ctx, &g.pod, "sallyport")
		if err != nil || !bytes.Contains(log, []byte(why)) {
			return fmt.Errorf("the log, %v: %s", err, log)
		}
		t.Logf("/startupz: %s", page)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	began := containerStatus(&g.pod, "sallyport").State.Running.StartedAt.Time
	time.Sleep(time.Until(began.Add(held)))
	pod := g.look(t)
	if s := containerStatus(pod, "app"); s == nil || s.State.Waiting == nil || s.State.Waiting.Reason != "PodInitializing" {
		t.Errorf("the app: %+v", s)
	}
	if s := containerStatus(pod, "sallyport"); s.Started == nil || *s.Started || s.RestartCount > 0 {
		t.Errorf("the gate: %+v", s)
	}
}

// waitRed waits until /startupz answers, and checks that it is red and tells
// those outside of the pod no reason.
func (g *gate) waitRed(t *testing.T, condition string) {
	t.Helper()
	var page []byte
	err := wait.For(t.Context(), "/startupz", podTime, func(ctx context.Context) (err error) {
		if page, err = world.ask(ctx, "GET", &g.pod, 9901, "startupz", nil); err == nil {
			return wait.Stop(errors.New("it has started"))
		}
		if !bytes.Contains(page, []byte("not-started")) {
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(page, []byte(condition)) {
		t.Errorf("/startupz tells everybody: %s", page)
	}
}

// letsAppStart waits until the pod is ready, and checks that the app has been
// started since, after the gate.
func (g *gate) letsAppStart(t *testing.T, given time.Time) {
	t.Helper()
	g.waitReady(t)
	pod := g.look(t)
	first, then := containerStatus(pod, "sallyport").State.Running, containerStatus(pod, "app").State.Running
	if first == nil || then == nil {
		t.Fatalf("gate %v, app %v", first, then)
	}
	// The pod's status has whole seconds.
	if then.StartedAt.Time.Before(given.Truncate(time.Second)) || !first.StartedAt.Before(&then.StartedAt) {
		t.Errorf("gate started at %v, was given what it needs at %v, app started at %v", first.StartedAt, given, then.StartedAt)
	}
	log, err := containerLog(t.Context(), pod, "app")
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("app started %.1f s after it could", event(t, events(t, log), app.Started).Time.Sub(given).Seconds())
	g.unchanged(t)
	c := newCaller(t)
	g.waitReached(t, c)
	g.admits(t, c, c.request(t, gateAudience), 0)
}

// runningGate waits until the gate's container runs, and returns its pod.
func (g *gate) runningGate(t *testing.T) (pod corev1.Pod) {
	t.Helper()
	err := wait.For(t.Context(), "the gate", podTime, func(ctx context.Context) error {
		pods, err := livePods(ctx, g.namespace, "app="+gateName)
		if err != nil {
			return err
		}
		if len(pods) != 1 {
			return fmt.Errorf("%d pods", len(pods))
		}
		pod = pods[0]
		if s := containerStatus(&pod, "sallyport"); s == nil || s.State.Running == nil {
			return notReady(pod)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return pod
}

// look returns the gate's pod as it is now.
func (g *gate) look(t *testing.T) *corev1.Pod {
	t.Helper()
	pod, err := world.client.CoreV1().Pods(g.namespace).Get(t.Context(), g.pod.Name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return pod
}
