package scenarios

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sallyport/e2e/wait"
	"sallyport/internal/authn"
)

// A diagnosis is a line of the doctor's, as docs/troubleshooting.md has it.
type diagnosis struct{ About, State, Text, Fix string }

// doctor runs sallyport doctor in the gate's container. Without flags it takes
// those of the gate.
func (g *gate) doctor(t *testing.T, flags ...string) (code int, lines []diagnosis) {
	t.Helper()
	var r struct{ Lines []diagnosis }
	code = g.exec(t, &r, "", append([]string{"doctor"}, flags...)...)
	return code, r.Lines
}

// about returns the lines about something that are in a state.
func about(lines []diagnosis, what string, state string) (found []diagnosis) {
	for _, l := range lines {
		if l.About == what && l.State == state {
			found = append(found, l)
		}
	}
	return found
}

// Given a gate that is well,
// when the doctor is asked in its container, without flags,
// then it finds nothing; and when the gate's rights are taken away it finds that,
// and the command that it prints mends it.
func TestDoctor(t *testing.T) {
	t.Parallel()
	g, c := deployWith(t, serving()), newCaller(t)
	g.waitReached(t, c)

	code, lines := g.doctor(t)
	if code != 0 {
		t.Errorf("exit %d: %+v", code, lines)
	}
	for what, n := range map[string]int{"own token": 1, "API server": 2, "reviews": 1, "keys": 2, "app": 1, "past the gate": 1, "gate": 1} {
		if got := about(lines, what, "ok"); len(got) != n {
			t.Errorf("%s: %d lines are well, want %d: %+v", what, len(got), n, lines)
		}
	}
	if tls := about(lines, "configuration", "warning"); len(tls) != 1 || !strings.Contains(tls[0].Text, "callers' tokens come in clear") {
		t.Errorf("the configuration: %+v", tls)
	}

	bindings := world.client.RbacV1().ClusterRoleBindings()
	if err := bindings.Delete(t.Context(), g.binding, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	forbidden := g.finds(t, "reviews", "failed")
	if !strings.Contains(forbidden.Text, "tokenreviews") {
		t.Errorf("%+v", forbidden)
	}
	g.turnsAwayUnknown(t, c, authn.ReviewForbidden) // and callers feel it

	t.Cleanup(func() {
		// The commands make these two.
		ctx := context.Background()
		err := errors.Join(bindings.Delete(ctx, "sallyport-tokenreview-"+g.namespace+"-example", metav1.DeleteOptions{}),
			world.client.RbacV1().ClusterRoles().Delete(ctx, "sallyport-tokenreview", metav1.DeleteOptions{}))
		if err != nil {
			t.Error(err)
		}
	})
	for command := range strings.SplitSeq(forbidden.Fix, "; ") {
		words := strings.Fields(command)
		if words[0] != "kubectl" {
			t.Fatalf("the fix is no command: %q", forbidden.Fix)
		}
		if out, err := kubectl("", words[1:]...); err != nil {
			t.Fatalf("%s: %v: %s", command, err, out)
		}
	}
	g.finds(t, "reviews", "ok")
	g.admits(t, c, c.request(t, gateAudience), backTime)
	g.unchanged(t)
}

// finds waits until the doctor says so: an authorizer goes by former rights for a
// moment.
func (g *gate) finds(t *testing.T, what string, state string) (line diagnosis) {
	t.Helper()
	err := wait.For(t.Context(), "what the doctor finds", backTime, func(context.Context) error {
		code, lines := g.doctor(t)
		found := about(lines, what, state)
		if len(found) == 0 || (code == 0) == (state == "failed") {
			return fmt.Errorf("exit %d: %+v", code, lines)
		}
		line = found[0]
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return line
}

// Given an app that listens on all addresses,
// when the doctor is asked,
// then it has found the way past the gate; and with flags that are wrong, or name
// what is broken, it finds that.
func TestDoctorFinds(t *testing.T) {
	t.Parallel()
	g := deployWith(t, func(m *manifest) {
		m.app().Args = []string{"echo", "--listen=:8080"}
		m.mountBroken(t)
	})
	past := g.finds(t, "past the gate", "failed")
	if at := g.pod.Status.PodIP + ":8080"; !strings.Contains(past.Text, at) || !strings.Contains(past.Fix, "127.0.0.1:8080") {
		t.Errorf("it does not name %s: %+v", at, past)
	}
	flags := []string{"--audience=x", "--listen=127.0.0.1:8443"}
	for _, tc := range []struct{ flag, what, text, fix string }{
		{"--upstream=http://127.0.0.1:8099", "app", "connection refused", "start the app"},
		{"--token-file=/nowhere/token", "own token", "no such file", "projected"},
		{"--kubeconfig=/nowhere", "configuration", "/nowhere", "serve would not start"},
		{"--kubeconfig=/broken/kubeconfig", "API server", "cannot be reached", "NetworkPolicy"},
		{"--token-file=/broken/token", "API server", "refuses our own token", "no audience"},
		{"--tls-cert-file=/broken/tls.crt --tls-key-file=/broken/tls.key", "certificate", "expired 1 h", "write a new pair"},
	} {
		code, lines := g.doctor(t, append(flags, strings.Fields(tc.flag)...)...)
		found := about(lines, tc.what, "failed")
		if code != 1 || len(found) == 0 || !strings.Contains(found[0].Text, tc.text) || !strings.Contains(found[0].Fix, tc.fix) {
			t.Errorf("%s: exit %d: %+v", tc.flag, code, lines)
		}
	}
}

// mountBroken gives the gate's container what the doctor should find fault with: a
// token for somebody else, a certificate that has ended, a kubeconfig of an API server
// that is not there.
func (m *manifest) mountBroken(t *testing.T) {
	t.Helper()
	key := ecdsaKey(t)
	ended := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-25 * time.Hour), NotAfter: time.Now().Add(-time.Hour)}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	files := corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "broken"}, Data: map[string]string{
		"tls.crt": string(signed(t, ended, ended, key, key)),
		"tls.key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
		"kubeconfig": `{apiVersion: v1, kind: Config, current-context: x, contexts: [{name: x, context: {cluster: x, user: x}}],
			users: [{name: x}], clusters: [{name: x, cluster: {server: "https://127.0.0.1:1", certificate-authority: ca.crt}}]}`,
	}}
	m.ConfigMaps = append(m.ConfigMaps, files)
	of := func(name string) corev1.VolumeProjection {
		return corev1.VolumeProjection{ConfigMap: &corev1.ConfigMapProjection{LocalObjectReference: corev1.LocalObjectReference{Name: name}}}
	}
	m.pod().Volumes = append(m.pod().Volumes, corev1.Volume{Name: "broken", VolumeSource: corev1.VolumeSource{
		Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{
			of("broken"), of("kube-root-ca.crt"),
			{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Audience: "another.example", Path: "token"}},
		}},
	}})
	m.sidecar().VolumeMounts = append(m.sidecar().VolumeMounts, corev1.VolumeMount{Name: "broken", MountPath: "/broken", ReadOnly: true})
}
