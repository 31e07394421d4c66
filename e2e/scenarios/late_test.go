package scenarios

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sallyport/e2e/wait"
)

// writeLateCA writes the cluster's CA to lateCA, which may be there.
func writeLateCA(t *testing.T, namespace string) {
	t.Helper()
	maps := world.client.CoreV1().ConfigMaps(namespace)
	var roots *corev1.ConfigMap
	err := wait.For(t.Context(), "kube-root-ca.crt", podTime, func(ctx context.Context) (err error) {
		roots, err = maps.Get(ctx, "kube-root-ca.crt", metav1.GetOptions{})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	late := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: lateCA}, Data: roots.Data}
	_, err = maps.Update(t.Context(), late, metav1.UpdateOptions{})
	if apierrors.IsNotFound(err) {
		_, err = maps.Create(t.Context(), late, metav1.CreateOptions{})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// someCA returns the certificate of a CA that has signed nothing.
func someCA(t *testing.T) string {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, private)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// takeDiscovery takes the right to read the issuer's keys, which Kubernetes gives
// to all service accounts, until the test ends.
func takeDiscovery(t *testing.T) {
	t.Helper()
	bindings := world.client.RbacV1().ClusterRoleBindings()
	const name = "system:service-account-issuer-discovery"
	binding, err := bindings.Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := bindings.Delete(t.Context(), name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	binding.ResourceVersion = ""
	t.Cleanup(func() {
		if _, err := bindings.Create(context.Background(), binding, metav1.CreateOptions{}); err != nil {
			t.Error(err)
		}
	})
}
