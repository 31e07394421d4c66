package scenarios

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"testing"

	authv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"sallyport/e2e/caller"
	"sallyport/e2e/wait"
)

// The files of the caller's tokens.
const (
	ownToken     = "/tokens/own"   // for the gate's audience
	otherToken   = "/tokens/other" // for another audience
	legacyToken  = "/legacy/token" // from a Secret
	defaultToken = "/var/run/secrets/kubernetes.io/serviceaccount/token"
)

var callerFiles = []string{ownToken, otherToken, legacyToken, defaultToken}

// A callingPod is a pod that calls the gate as it is told.
type callingPod struct {
	pod     corev1.Pod
	account corev1.ServiceAccount
}

// theCaller is what scenarios share that have a cluster to break: where the
// control plane has just been away, a new pod takes long. It goes with the
// cluster.
var theCaller *callingPod

func troubledCaller(t *testing.T) *callingPod {
	t.Helper()
	if theCaller == nil {
		theCaller = startCaller(t, func(string) {})
	}
	return theCaller
}

// newCaller starts a caller in a namespace of its own, which goes with the test.
func newCaller(t *testing.T) *callingPod {
	t.Helper()
	c := startCaller(t, func(namespace string) {
		t.Cleanup(func() {
			err := world.client.CoreV1().Namespaces().Delete(context.Background(), namespace, metav1.DeleteOptions{})
			if err != nil {
				t.Error(err)
			}
		})
	})
	t.Cleanup(func() {
		if err := c.confess(context.Background(), callerFiles...); err != nil {
			t.Error(err)
		}
	})
	return c
}

func startCaller(t *testing.T, made func(namespace string)) *callingPod {
	t.Helper()
	core := world.client.CoreV1()
	namespace, err := core.Namespaces().Create(t.Context(),
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "caller-"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	name := namespace.Name
	made(name)
	account, err := core.ServiceAccounts(name).Create(t.Context(),
		&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "caller"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	makeLegacy(t, name)
	if _, err := core.Pods(name).Create(t.Context(), callerPod(), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	return &callingPod{pod: readyPod(t, name, "app=caller"), account: *account}
}

// makeLegacy makes a Secret of the kind that was made for each service account
// once, and waits until the control plane has put a token into it.
func makeLegacy(t *testing.T, namespace string) {
	t.Helper()
	secrets := world.client.CoreV1().Secrets(namespace)
	_, err := secrets.Create(t.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Name:        "legacy",
			Annotations: map[string]string{corev1.ServiceAccountNameKey: "caller"},
		},
		Type: corev1.SecretTypeServiceAccountToken,
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	err = wait.For(t.Context(), "the legacy Secret's token", podTime, func(ctx context.Context) error {
		s, err := secrets.Get(ctx, "legacy", metav1.GetOptions{})
		if err == nil && len(s.Data[corev1.ServiceAccountTokenKey]) == 0 {
			err = fmt.Errorf("no token yet")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func callerPod() *corev1.Pod {
	ten := int64(600) // the least that the API server grants
	projection := func(audience, file string) corev1.VolumeProjection {
		return corev1.VolumeProjection{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{
			Audience: audience, ExpirationSeconds: &ten, Path: path.Base(file),
		}}
	}
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "caller", Labels: map[string]string{"app": "caller"}},
		Spec: corev1.PodSpec{
			ServiceAccountName: "caller",
			Containers: []corev1.Container{{
				Name:            "caller",
				Image:           *toolsImage,
				Command:         []string{"/caller"},
				ImagePullPolicy: corev1.PullIfNotPresent,
				ReadinessProbe: &corev1.Probe{PeriodSeconds: 1, ProbeHandler: corev1.ProbeHandler{
					HTTPGet: &corev1.HTTPGetAction{Path: "/healthz", Port: intstr.FromInt32(caller.Port)}}},
				VolumeMounts: []corev1.VolumeMount{
					{Name: "tokens", MountPath: path.Dir(ownToken)},
					{Name: "legacy", MountPath: path.Dir(legacyToken)},
				},
			}},
			Volumes: []corev1.Volume{
				{Name: "tokens", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
					Sources: []corev1.VolumeProjection{
						projection(gateAudience, ownToken), projection("another.example", otherToken),
					}}}},
				{Name: "legacy", VolumeSource: corev1.VolumeSource{
					Secret: &corev1.SecretVolumeSource{SecretName: "legacy"}}},
			},
		},
	}
}

// call sends one request.
func (c *callingPod) call(t *testing.T, req caller.Request) (a caller.Answer) {
	t.Helper()
	c.do(t, "POST", "call", req, &a)
	return a
}

// startLoad starts requests that end with stopLoad, or with the test.
// raw sends bytes as they are.
func (c *callingPod) raw(t *testing.T, r caller.Raw) (a caller.Answer) {
	t.Helper()
	c.do(t, "POST", "raw", r, &a)
	return a
}

func (c *callingPod) startLoad(t *testing.T, l caller.Load) {
	t.Helper()
	c.do(t, "POST", "load", l, nil)
	t.Cleanup(func() {
		// There is none any more if the test has stopped it.
		world.ask(context.Background(), "DELETE", &c.pod, caller.Port, "load", nil)
	})
}

// readLoad tells how the load goes that is under way.
func (c *callingPod) readLoad(t *testing.T) (tally caller.Tally) {
	t.Helper()
	c.do(t, "GET", "load", nil, &tally)
	return tally
}

func (c *callingPod) stopLoad(t *testing.T) (tally caller.Tally) {
	t.Helper()
	c.do(t, "DELETE", "load", nil, &tally)
	return tally
}

// token tells of the token that is in a file now.
func (c *callingPod) token(t *testing.T, file string) (token caller.Token) {
	t.Helper()
	c.do(t, "POST", "token", file, &token)
	return token
}

// request asks the API server for a token of the caller's, bound to its pod, as
// the kubelet does.
func (c *callingPod) request(t *testing.T, audiences ...string) string {
	t.Helper()
	r, err := world.client.CoreV1().ServiceAccounts(c.pod.Namespace).CreateToken(t.Context(), c.account.Name,
		&authv1.TokenRequest{Spec: authv1.TokenRequestSpec{
			Audiences:      audiences,
			BoundObjectRef: &authv1.BoundObjectReference{APIVersion: "v1", Kind: "Pod", Name: c.pod.Name, UID: c.pod.UID},
		}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	learn(r.Status.Token)
	return r.Status.Token
}

// do talks to the pod.
func (c *callingPod) do(t *testing.T, method, path string, in, out any) {
	t.Helper()
	data, err := world.ask(t.Context(), method, &c.pod, caller.Port, path, in)
	if err != nil {
		t.Fatalf("caller, %s: %v: %s", path, err, data)
	}
	if out != nil {
		if err := json.Unmarshal(data, out); err != nil {
			t.Fatalf("caller, %s: %v", path, err)
		}
	}
}
