// Package deploy has no code: its tests hold the manifests against the types of
// Kubernetes and against our own flags.
package deploy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	"sallyport/internal/config"
)

// A manifest is sidecar.yaml, read strictly: an unknown or repeated field is an
// error, as it is for kubectl.
type manifest struct {
	namespace  corev1.Namespace
	account    corev1.ServiceAccount
	role       rbacv1.ClusterRole
	binding    rbacv1.ClusterRoleBinding
	deployment appsv1.Deployment
	service    corev1.Service
}

func read(t *testing.T) *manifest {
	t.Helper()
	data, err := os.ReadFile("sidecar.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var m manifest
	kinds := map[string]any{
		"Namespace": &m.namespace, "ServiceAccount": &m.account, "ClusterRole": &m.role,
		"ClusterRoleBinding": &m.binding, "Deployment": &m.deployment, "Service": &m.service,
	}
	documents := utilyaml.NewDocumentDecoder(io.NopCloser(bytes.NewReader(data)))
	defer documents.Close()
	for buf := make([]byte, len(data)); ; {
		n, err := documents.Read(buf)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		var head struct{ Kind string }
		if err := yaml.Unmarshal(buf[:n], &head); err != nil {
			t.Fatal(err)
		}
		into, ok := kinds[head.Kind]
		if !ok {
			t.Fatalf("a second, or an unexpected, %q", head.Kind)
		}
		if err := yaml.UnmarshalStrict(buf[:n], into); err != nil {
			t.Errorf("%s: %v", head.Kind, err)
		}
		delete(kinds, head.Kind)
	}
	for kind := range kinds {
		t.Errorf("there is no %s", kind)
	}
	return &m
}

func (m *manifest) pod() corev1.PodSpec    { return m.deployment.Spec.Template.Spec }
func (m *manifest) gate() corev1.Container { return m.pod().InitContainers[0] }
func (m *manifest) app() corev1.Container  { return m.pod().Containers[0] }

// status is what the downward API makes of some fields, with commas (Kubernetes'
// pkg/kubelet, podFieldSelectorRuntimeValue).
var status = map[string]string{"status.podIPs": "10.1.2.3,fd00::3", "status.hostIPs": "10.0.0.1,fd00::1"}

// flags are the gate's, as serve reads them.
func (m *manifest) flags(t *testing.T) *config.Config {
	t.Helper()
	args := m.gate().Args
	if args[0] != "serve" {
		t.Fatalf("the gate's command is %q", args[0])
	}
	var known []string
	for _, e := range m.gate().Env {
		known = append(known, "$("+e.Name+")", status[e.ValueFrom.FieldRef.FieldPath])
	}
	written := strings.NewReplacer(known...).Replace(strings.Join(args[1:], "\n"))
	c, err := config.Load(strings.Split(written, "\n"))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestFlags(t *testing.T) {
	m := read(t)
	c := m.flags(t)
	want := "example.sallyport-example.svc"
	if !slices.Equal(c.Audiences, []string{want}) || want != m.service.Name+"."+m.service.Namespace+".svc" {
		t.Errorf("audiences are %v", c.Audiences)
	}
	if c.TokenFile != m.gate().VolumeMounts[0].MountPath+"/"+m.token().Path {
		t.Errorf("the gate reads %s, and the kubelet writes elsewhere", c.TokenFile)
	}
	if listen := "--listen=" + c.Upstream.URL.Host; !slices.Contains(m.app().Args, listen) {
		t.Errorf("the gate forwards to %s, and the app is %v", c.Upstream.URL, m.app().Args)
	}
	if len(c.PodIPs) != 2 || c.PodIPs[0].String() != "10.1.2.3" || len(c.HostIPs) != 2 || c.HostIPs[0].String() != "10.0.0.1" {
		t.Errorf("the app is looked for at %v, and the node's addresses are %v", c.PodIPs, c.HostIPs)
	}
	probe := m.app().ReadinessProbe.HTTPGet
	if port := ":" + probe.Port.String(); port != c.Listen.Name {
		t.Errorf("the app's probe goes to %s, and the gate listens on %s", port, c.Listen)
	}
	if !slices.ContainsFunc(c.Routes, func(r config.Route) bool { return r.Public && r.Path == probe.Path }) {
		t.Errorf("the app's probe %s is not public", probe.Path)
	}
}

func (m *manifest) token() *corev1.ServiceAccountTokenProjection {
	return m.pod().Volumes[0].Projected.Sources[0].ServiceAccountToken
}

func TestOwnToken(t *testing.T) {
	m := read(t)
	token := m.token()
	if token.Audience != "" || *token.ExpirationSeconds != 3600 {
		t.Errorf("the token is for %q and %d s, want the API server and 3600 s", token.Audience, *token.ExpirationSeconds)
	}
	sources := m.pod().Volumes[0].Projected.Sources
	if len(sources) != 2 || sources[1].ConfigMap.Name != "kube-root-ca.crt" || !*sources[1].ConfigMap.Optional {
		t.Errorf("the volume's other source is %+v, want an optional kube-root-ca.crt alone", sources[1:])
	}
	if *m.pod().AutomountServiceAccountToken || *m.account.AutomountServiceAccountToken || len(m.app().VolumeMounts) > 0 {
		t.Error("the app gets a token")
	}
}

// The times of a pod's end, in order: drain, the app's own requests, our last.
func TestLife(t *testing.T) {
	m := read(t)
	c, gate, app := m.flags(t), m.gate(), m.app()
	if *gate.RestartPolicy != corev1.ContainerRestartPolicyAlways {
		t.Error("the gate is no native sidecar")
	}
	if sleep := time.Duration(app.Lifecycle.PreStop.Sleep.Seconds) * time.Second; sleep != c.DrainDelay {
		t.Errorf("the app sleeps %v and the gate drains %v", sleep, c.DrainDelay)
	}
	if got := gate.Lifecycle.PreStop.Exec.Command; !slices.Equal(got, []string{"/sallyport", "drain"}) {
		t.Errorf("the gate's preStop is %v", got)
	}
	const finish = 25 * time.Second // the app's, as the comment there says
	grace := time.Duration(*m.pod().TerminationGracePeriodSeconds) * time.Second
	if sum := c.DrainDelay + finish + c.ShutdownGrace; grace != sum {
		t.Errorf("the grace is %v, and its parts are %v", grace, sum)
	}
	s, r := gate.StartupProbe, gate.ReadinessProbe
	if s.HTTPGet.Path != "/startupz" || s.PeriodSeconds != 1 || s.FailureThreshold != 600 {
		t.Errorf("startup probe: %+v", s)
	}
	if r.HTTPGet.Path != "/readyz" || r.PeriodSeconds != 1 || r.FailureThreshold != 1 {
		t.Errorf("readiness probe: %+v", r)
	}
}

func TestPorts(t *testing.T) {
	m := read(t)
	c := m.flags(t)
	ports := map[string]string{}
	for _, p := range m.gate().Ports {
		ports[p.Name] = fmt.Sprintf(":%d", p.ContainerPort)
	}
	if ports["gate"] != c.Listen.Name || ports["admin"] != c.AdminListen.Name {
		t.Errorf("the ports are %v, and the gate listens on %s and %s", ports, c.Listen, c.AdminListen)
	}
	if got := m.service.Spec.Ports[0].TargetPort.StrVal; got != "gate" {
		t.Errorf("the service goes to %q", got)
	}
	for _, p := range []*corev1.Probe{m.gate().StartupProbe, m.gate().ReadinessProbe} {
		if p.HTTPGet.Port.StrVal != "admin" {
			t.Errorf("a probe goes to %v", p.HTTPGet.Port)
		}
	}
}

// The namespace admits nothing less than "restricted".
func TestRestricted(t *testing.T) {
	m := read(t)
	if m.namespace.Labels["pod-security.kubernetes.io/enforce"] != "restricted" {
		t.Error("the namespace is not restricted")
	}
	pod := m.pod().SecurityContext
	if !*pod.RunAsNonRoot || *pod.RunAsUser == 0 || pod.FSGroup != nil || pod.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault {
		t.Errorf("the pod: %+v", pod)
	}
	for _, c := range []corev1.Container{m.gate(), m.app()} {
		s := c.SecurityContext
		if *s.AllowPrivilegeEscalation || !*s.ReadOnlyRootFilesystem || !slices.Equal(s.Capabilities.Drop, []corev1.Capability{"ALL"}) {
			t.Errorf("%s: %+v", c.Name, s)
		}
		if c.Resources.Requests.Memory().IsZero() || c.Resources.Requests.Cpu().IsZero() {
			t.Errorf("%s requests nothing", c.Name)
		}
	}
}

func TestRights(t *testing.T) {
	m := read(t)
	want := []rbacv1.PolicyRule{
		{APIGroups: []string{"authentication.k8s.io"}, Resources: []string{"tokenreviews"}, Verbs: []string{"create"}},
		{NonResourceURLs: []string{"/.well-known/openid-configuration", "/openid/v1/jwks"}, Verbs: []string{"get"}},
	}
	if !reflect.DeepEqual(m.role.Rules, want) {
		t.Errorf("the rules are %+v", m.role.Rules)
	}
	s := m.binding.Subjects[0]
	if m.binding.RoleRef.Name != m.role.Name || s.Name != m.pod().ServiceAccountName || s.Name != m.account.Name || s.Namespace != m.deployment.Namespace {
		t.Errorf("the binding is %+v to %+v", m.binding.RoleRef, s)
	}
}
