package cluster

import "context"

// KillContainer sends SIGKILL to a container's first process. The kubelet has no
// such order; the id is the pod status's, without containerd://.
func (c *Cluster) KillContainer(ctx context.Context, id string) error {
	return run(ctx, "/", nil, "ctr", "--address="+containerdSocket, "--namespace=k8s.io",
		"tasks", "kill", "--signal=SIGKILL", id)
}
