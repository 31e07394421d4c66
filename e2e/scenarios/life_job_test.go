package scenarios

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sallyport/e2e/app"
	"sallyport/e2e/wait"
)

// jobWork is how long the Job's program works.
const jobWork = 3 * time.Second

// drainDelay is the manifest's.
const drainDelay = 5 * time.Second

// jobMargin is what two busy cores may add to a Job's end: without a sidecar 3 s
// were seen, and 4 s more with one while other clusters were at work. A sidecar
// that nobody ends would take for ever, one that has to be killed 35 s.
const jobMargin = 10 * time.Second

// stopMargin is what the kubelet may take between the end of the gate's preStop
// and its SIGTERM, with two busy cores.
const stopMargin = 3 * time.Second

// Given Jobs without the sidecar, with the example's, and with one that does not
// wait to drain, as nobody sends requests to a Job,
// when their programs have done their work,
// then they are complete without delay, but for the drain's, and the gate has
// ended with 0.
func TestJob(t *testing.T) {
	t.Parallel()
	var bare, with, fit corev1.PodTemplateSpec
	g := applyWith(t, func(m *manifest) {
		none := int32(0)
		m.Deployment.Spec.Replicas = &none
		m.testApp("--work=" + jobWork.String())
		m.pod().RestartPolicy = corev1.RestartPolicyNever
		with = *m.Deployment.Spec.Template.DeepCopy()
		m.serve("--drain-delay=0s")
		fit = *m.Deployment.Spec.Template.DeepCopy()
		m.pod().RestartPolicy = corev1.RestartPolicyAlways
	})
	bare = *with.DeepCopy()
	bare.Spec.InitContainers = nil
	bare.Spec.Containers[0].ReadinessProbe = nil // it comes through the gate

	g.createJob(t, "bare", bare)
	g.createJob(t, "with", with)
	g.createJob(t, "fit", fit)
	without := g.waitComplete(t, "bare")
	for _, tt := range []struct {
		job  string
		most time.Duration
	}{{"fit", 0}, {"with", drainDelay}} {
		took := g.waitComplete(t, tt.job)
		t.Logf("complete %.1f s after the program's end, without the sidecar %.1f s: %s", took.Seconds(), without.Seconds(), tt.job)
		if took > without+tt.most+jobMargin {
			t.Errorf("the sidecar holds the Job up: %s", tt.job)
		}
		pod := g.jobPod(t, tt.job)
		if took := stopTime(t, pod); took < tt.most || took > tt.most+stopMargin {
			t.Errorf("the gate took %v to stop, want %v: %s", took, tt.most, tt.job)
		}
		s := containerStatus(pod, "sallyport")
		if s == nil || s.State.Terminated == nil || s.State.Terminated.ExitCode != 0 || s.RestartCount > 0 {
			t.Errorf("the gate: %+v", s)
		}
	}
}

// stopTime is how long the gate took from the drain's begin to its end, by its
// log.
func stopTime(t *testing.T, pod *corev1.Pod) time.Duration {
	t.Helper()
	log, err := containerLog(t.Context(), pod, "sallyport")
	if err != nil {
		t.Fatal(err)
	}
	lines, err := logLines(log)
	if err != nil {
		t.Fatal(err)
	}
	return loggedAt(t, lines, "stopped").Sub(loggedAt(t, lines, "draining: not ready, and still serving"))
}

func (g *gate) createJob(t *testing.T, name string, template corev1.PodTemplateSpec) {
	t.Helper()
	template.Labels = map[string]string{"job": name}
	_, err := world.client.BatchV1().Jobs(g.namespace).Create(t.Context(), &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       batchv1.JobSpec{Template: template, BackoffLimit: new(int32)},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
}

// waitComplete waits until the Job is complete, and returns how long after its
// program's end that was. A Job says it in whole seconds.
func (g *gate) waitComplete(t *testing.T, name string) time.Duration {
	t.Helper()
	var complete time.Time
	err := wait.For(t.Context(), "the Job "+name, podTime, func(ctx context.Context) error {
		job, err := world.client.BatchV1().Jobs(g.namespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if job.Status.Failed > 0 {
			return wait.Stop(fmt.Errorf("it has failed: %+v", job.Status))
		}
		if job.Status.CompletionTime == nil {
			return errors.New("not complete")
		}
		complete = job.Status.CompletionTime.Time
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	log, err := containerLog(t.Context(), g.jobPod(t, name), "app")
	if err != nil {
		t.Fatal(err)
	}
	return complete.Sub(event(t, events(t, log), app.Ended).Time.Truncate(time.Second))
}

func (g *gate) jobPod(t *testing.T, name string) *corev1.Pod {
	t.Helper()
	pods, err := livePods(t.Context(), g.namespace, "job="+name)
	if err != nil || len(pods) != 1 {
		t.Fatalf("%d pods, %v", len(pods), err)
	}
	return &pods[0]
}
