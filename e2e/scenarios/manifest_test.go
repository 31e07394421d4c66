package scenarios

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	utilrand "k8s.io/apimachinery/pkg/util/rand"
	"sigs.k8s.io/yaml"
)

// What deploy/sidecar.yaml says.
const (
	gateNamespace = "sallyport-example"
	gateName      = "example"
	gateAudience  = "example.sallyport-example.svc"
	manifestImage = "sallyport:dev"
	manifestFile  = "../../deploy/sidecar.yaml"
)

// readManifest returns deploy/sidecar.yaml as it stands apart from the image.
func readManifest() (string, error) {
	data, err := os.ReadFile(manifestFile)
	return strings.ReplaceAll(string(data), "image: "+manifestImage, "image: "+*gateImage), err
}

// A manifest is deploy/sidecar.yaml as objects, to be changed.
type manifest struct {
	Namespace          corev1.Namespace
	ServiceAccount     corev1.ServiceAccount
	ClusterRole        rbacv1.ClusterRole
	ClusterRoleBinding rbacv1.ClusterRoleBinding
	Deployment         appsv1.Deployment
	Service            corev1.Service

	Secrets    []corev1.Secret // further objects, none in the file
	ConfigMaps []corev1.ConfigMap
}

// parseManifest returns the manifest in a namespace of its own, with cluster-wide
// objects of its own.
func parseManifest(t *testing.T) *manifest {
	t.Helper()
	text, err := readManifest()
	if err != nil {
		t.Fatal(err)
	}
	m := &manifest{}
	for document := range strings.SplitSeq(text, "\n---\n") {
		var what struct{ Kind string }
		if err := yaml.Unmarshal([]byte(document), &what); err != nil {
			t.Fatal(err)
		}
		into, ok := m.byKind()[what.Kind]
		if !ok {
			t.Fatalf("%s has a %q, which the scenarios do not know", manifestFile, what.Kind)
		}
		if err := yaml.UnmarshalStrict([]byte(document), into); err != nil {
			t.Fatal(err)
		}
	}
	m.rename("gate-" + utilrand.String(5))
	return m
}

func (m *manifest) byKind() map[string]any {
	return map[string]any{
		"Namespace": &m.Namespace, "ServiceAccount": &m.ServiceAccount, "ClusterRole": &m.ClusterRole,
		"ClusterRoleBinding": &m.ClusterRoleBinding, "Deployment": &m.Deployment, "Service": &m.Service,
	}
}

func (m *manifest) rename(namespace string) {
	m.Namespace.Name = namespace
	for _, field := range []*string{
		&m.ServiceAccount.Namespace, &m.Deployment.Namespace, &m.Service.Namespace, &m.ClusterRoleBinding.Subjects[0].Namespace,
	} {
		*field = namespace
	}
	m.ClusterRole.Name = namespace
	m.ClusterRoleBinding.Name = namespace
	m.ClusterRoleBinding.RoleRef.Name = namespace
}

// pod returns the Deployment's pod.
func (m *manifest) pod() *corev1.PodSpec { return &m.Deployment.Spec.Template.Spec }

// sidecar returns the gate's container.
func (m *manifest) sidecar() *corev1.Container { return &m.pod().InitContainers[0] }

// app returns the app's container.
func (m *manifest) app() *corev1.Container { return &m.pod().Containers[0] }

// serve gives the gate flags, in place of those of the same names.
func (m *manifest) serve(flags ...string) {
	given := func(arg string) bool {
		return slices.ContainsFunc(flags, func(flag string) bool {
			name, _, _ := strings.Cut(flag, "=")
			return strings.HasPrefix(arg, name+"=")
		})
	}
	c := m.sidecar()
	c.Args = append(slices.DeleteFunc(c.Args, given), flags...)
}

// text returns the manifest for kubectl.
func (m *manifest) text(t *testing.T) string {
	t.Helper()
	objects := []any{&m.Namespace, &m.ServiceAccount, &m.ClusterRole, &m.ClusterRoleBinding}
	for i := range m.Secrets {
		m.Secrets[i].Namespace = m.Namespace.Name
		m.Secrets[i].SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
		objects = append(objects, &m.Secrets[i])
	}
	for i := range m.ConfigMaps {
		m.ConfigMaps[i].Namespace = m.Namespace.Name
		m.ConfigMaps[i].SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("ConfigMap"))
		objects = append(objects, &m.ConfigMaps[i])
	}
	var text bytes.Buffer
	for _, o := range append(objects, &m.Deployment, &m.Service) {
		data, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		text.WriteString("---\n")
		text.Write(append(data, '\n'))
	}
	return text.String()
}

// kubectl runs kubectl.
func kubectl(input string, args ...string) ([]byte, error) {
	cmd := exec.Command(kubectlProgram(), append([]string{"--kubeconfig=" + world.kubeconfig}, args...)...)
	cmd.Stdin = strings.NewReader(input)
	return cmd.CombinedOutput()
}
