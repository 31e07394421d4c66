package scenarios

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Given a cluster of our own,
// when it is asked what it is,
// then it is one node of the Kubernetes that the other scenarios are about.
func TestOwnNode(t *testing.T) {
	nodes, err := world.client.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(nodes.Items) != 1 {
		t.Fatalf("%d nodes", len(nodes.Items))
	}
	info := nodes.Items[0].Status.NodeInfo
	if info.KubeletVersion != "v1.37.2" {
		t.Errorf("kubelet %s", info.KubeletVersion)
	}
	t.Log("kernel", info.KernelVersion, "with", info.ContainerRuntimeVersion)
}
