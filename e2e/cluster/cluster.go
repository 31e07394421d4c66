// Package cluster starts a Kubernetes of one node from programs on disk: etcd,
// the control plane, containerd, kubelet, kube-proxy, and no registry. It is
// made for a box (package box), which also ends it.
package cluster

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"sallyport/e2e/wait"
)

// Logs is the folder, inside of the cluster's, with the logs of all programs and
// pods.
const Logs = "logs"

// A Cluster is one node with its control plane. The fields are its programs: a
// scenario may stop, pause and restart them, if it leaves them running.
type Cluster struct {
	Etcd, APIServer, ControllerManager, Scheduler *Process
	Containerd, Kubelet, Proxy                    *Process

	dir, bin  string
	ca, spare *authority // clients' certificates are ca's
	settings  Settings
}

// startTime is how long each program may take until it is of use. On two busy
// cores the API server needed 20 s.
const startTime = 2 * time.Minute

// Start starts a cluster in the empty folder dir, with Kubernetes' programs from
// the folder bin. Its node is ready once Import has brought the pause image.
func Start(ctx context.Context, dir, bin string) (*Cluster, error) {
	c := &Cluster{dir: dir, bin: bin}
	if err := os.MkdirAll(c.path(Logs), 0o755); err != nil {
		return nil, err
	}
	if err := c.network(ctx, c.path("cni")); err != nil {
		return nil, err
	}
	if err := c.identities(); err != nil {
		return nil, err
	}
	if err := c.assemble(); err != nil {
		return nil, err
	}
	for _, p := range []*Process{c.Containerd, c.Etcd, c.APIServer} {
		if err := p.Start(); err != nil {
			return nil, err
		}
	}
	if err := c.WaitReady(ctx); err != nil {
		return nil, err
	}
	for _, p := range []*Process{c.ControllerManager, c.Scheduler, c.Kubelet, c.Proxy} {
		if err := p.Start(); err != nil {
			return nil, err
		}
	}
	return c, c.waitNode(ctx)
}

// assemble writes the programs' configuration.
func (c *Cluster) assemble() (err error) {
	c.Etcd, c.APIServer = c.etcd(), c.apiServer()
	c.ControllerManager, c.Scheduler = c.controllerManager(), c.scheduler()
	if c.Containerd, err = c.containerd(); err != nil {
		return err
	}
	if c.Kubelet, err = c.kubelet(); err != nil {
		return err
	}
	c.Proxy, err = c.proxy()
	return err
}

// Kubeconfig returns the path of the administrator's kubeconfig.
func (c *Cluster) Kubeconfig() string { return c.kubeconfig("admin") }

// Volume returns the folder of a pod's volume on the node, for a volume of the
// kind projected.
func (c *Cluster) Volume(pod types.UID, name string) string {
	return c.path("kubelet", "pods", string(pod), "volumes", "kubernetes.io~projected", name)
}

// Import brings an image, an archive of docker's, to the node.
func (c *Cluster) Import(ctx context.Context, archive string) error {
	return run(ctx, "/", nil, "ctr", "--address="+containerdSocket, "--namespace=k8s.io", "images", "import", archive)
}

// WaitReady waits until the API server says that it is ready.
func (c *Cluster) WaitReady(ctx context.Context) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	return wait.For(ctx, "the API server", startTime, func(ctx context.Context) error {
		if err := c.APIServer.alive(); err != nil {
			return wait.Stop(err)
		}
		return client.RESTClient().Get().AbsPath("/readyz").Do(ctx).Error()
	})
}

// waitNode waits until the node is ready for pods.
func (c *Cluster) waitNode(ctx context.Context) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	return wait.For(ctx, "the node", startTime, func(ctx context.Context) error {
		for _, p := range []*Process{c.Containerd, c.Kubelet, c.Proxy, c.ControllerManager, c.Scheduler} {
			if err := p.alive(); err != nil {
				return wait.Stop(err)
			}
		}
		node, err := client.CoreV1().Nodes().Get(ctx, nodeName, metav1.GetOptions{})
		if err != nil {
			return err
		}
		for _, condition := range node.Status.Conditions {
			if condition.Type == "Ready" && condition.Status != "True" {
				return fmt.Errorf("not ready: %s", condition.Message)
			}
		}
		if len(node.Spec.Taints) > 0 {
			return fmt.Errorf("taints %v", node.Spec.Taints)
		}
		return nil
	})
}

func (c *Cluster) client() (*kubernetes.Clientset, error) {
	config, err := clientcmd.BuildConfigFromFlags("", c.Kubeconfig())
	if err != nil {
		return nil, err
	}
	config.Timeout = 5 * time.Second
	return kubernetes.NewForConfig(config)
}

func (c *Cluster) process(name, path string, args ...string) *Process {
	return &Process{Name: name, path: path, args: args, logs: c.path(Logs)}
}

func (c *Cluster) path(elements ...string) string {
	return filepath.Join(append([]string{c.dir}, elements...)...)
}

func (c *Cluster) program(name string) string { return filepath.Join(c.bin, name) }
