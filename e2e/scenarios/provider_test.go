package scenarios

import (
	"context"
	"net"
	"net/url"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"sallyport/e2e/provider"
)

// A peoplePod is an OpenID provider that is not ours.
type peoplePod struct {
	pod    corev1.Pod
	issuer string
	certificate
}

// newProvider starts a provider in a namespace of its own, which goes with the
// test. Its Service is made first: the address is the issuer's name.
func newProvider(t *testing.T) *peoplePod {
	t.Helper()
	core := world.client.CoreV1()
	namespace, err := core.Namespaces().Create(t.Context(),
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "people-"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	name := namespace.Name
	t.Cleanup(func() {
		if err := core.Namespaces().Delete(context.Background(), name, metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
	service, err := core.Services(name).Create(t.Context(), &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "provider"},
		Spec: corev1.ServiceSpec{
			Selector: map[string]string{"app": "provider"},
			Ports:    []corev1.ServicePort{{Port: 443, TargetPort: intstr.FromInt32(provider.Port)}},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	address := service.Spec.ClusterIP
	at := url.URL{Scheme: "https", Host: strings.TrimSuffix(net.JoinHostPort(address, ""), ":")}
	p := &peoplePod{issuer: at.String(), certificate: newCertificate(t, net.ParseIP(address))}
	if _, err := core.Secrets(name).Create(t.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "tls"},
		Data:       map[string][]byte{"tls.crt": p.chain, "tls.key": p.key},
	}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := core.Pods(name).Create(t.Context(), providerPod(p.issuer), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	p.pod = readyPod(t, name, "app=provider")
	return p
}

func providerPod(issuer string) *corev1.Pod {
	no := false
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "provider", Labels: map[string]string{"app": "provider"}},
		Spec: corev1.PodSpec{
			AutomountServiceAccountToken: &no,
			Containers: []corev1.Container{{
				Name:            "provider",
				Image:           *toolsImage,
				Command:         []string{"/provider", "--issuer=" + issuer, "--tls-cert-file=/tls/tls.crt", "--tls-key-file=/tls/tls.key"},
				ImagePullPolicy: corev1.PullIfNotPresent,
				// By its control: while it refuses others it is to stay in its Service.
				ReadinessProbe: &corev1.Probe{PeriodSeconds: 1, ProbeHandler: corev1.ProbeHandler{
					HTTPGet: &corev1.HTTPGetAction{Path: "/healthz", Port: intstr.FromInt32(provider.ControlPort)}}},
				VolumeMounts: []corev1.VolumeMount{{Name: "tls", MountPath: "/tls", ReadOnly: true}},
			}},
			Volumes: []corev1.Volume{{Name: "tls", VolumeSource: corev1.VolumeSource{
				Secret: &corev1.SecretVolumeSource{SecretName: "tls"}}}},
		},
	}
}
