package scenarios

import (
	"context"
	"testing"

	authv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
)

// A victimSpace is a namespace in which things are made to be deleted.
type victimSpace struct {
	core corev1client.CoreV1Interface
	name string
}

func newVictimSpace(t *testing.T) *victimSpace {
	t.Helper()
	core := world.client.CoreV1()
	namespace, err := core.Namespaces().Create(t.Context(),
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "victims-"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	n := &victimSpace{core, namespace.Name}
	t.Cleanup(func() {
		if err := core.Namespaces().Delete(context.Background(), n.name, metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
	return n
}

// addAccount makes a service account.
func (n *victimSpace) addAccount(t *testing.T, name string) corev1.ServiceAccount {
	t.Helper()
	account, err := n.core.ServiceAccounts(n.name).Create(t.Context(),
		&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return *account
}

// addPod makes a pod of the service account of its name, and does not wait for it.
func (n *victimSpace) addPod(t *testing.T, name string, finalizers ...string) {
	t.Helper()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"app": name}, Finalizers: finalizers},
		Spec: corev1.PodSpec{
			ServiceAccountName: name,
			Containers: []corev1.Container{{
				Name: "caller", Image: *toolsImage, Command: []string{"/caller"}, ImagePullPolicy: corev1.PullIfNotPresent,
			}},
		},
	}
	pods := n.core.Pods(n.name)
	if _, err := pods.Create(t.Context(), pod, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if len(finalizers) > 0 {
		t.Cleanup(func() {
			_, err := pods.Patch(context.Background(), name, types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`), metav1.PatchOptions{})
			if err != nil {
				t.Error(err)
			}
		})
	}
}

// token asks for a token of the service account for the gate, bound to an object
// or to none.
func (n *victimSpace) token(t *testing.T, account string, bound *authv1.BoundObjectReference) string {
	t.Helper()
	r, err := n.core.ServiceAccounts(n.name).CreateToken(t.Context(), account, &authv1.TokenRequest{
		Spec: authv1.TokenRequestSpec{Audiences: []string{gateAudience}, BoundObjectRef: bound}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	learn(r.Status.Token)
	return r.Status.Token
}

// podToken waits for the pod, and asks for a token that is bound to it.
func (n *victimSpace) podToken(t *testing.T, name string) string {
	t.Helper()
	pod := readyPod(t, n.name, "app="+name)
	return n.token(t, name, &authv1.BoundObjectReference{APIVersion: "v1", Kind: "Pod", Name: name, UID: pod.UID})
}
