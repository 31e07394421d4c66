package cluster

import (
	"context"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
)

// KillContainer sends SIGKILL to a container's first process. The kubelet has no
// such order; the id is the pod status's, without containerd://.
func (c *Cluster) KillContainer(ctx context.Context, id string) error {
	return run(ctx, "/", nil, "ctr", append(containers, "tasks", "kill", "--signal=SIGKILL", id)...)
}

// ContainerPID returns the number of a container's first process, as the node
// counts. The id is as for KillContainer.
func (c *Cluster) ContainerPID(ctx context.Context, id string) (int, error) {
	out, err := exec.CommandContext(ctx, "ctr", append(containers, "tasks", "list")...).Output()
	if err != nil {
		return 0, fmt.Errorf("ctr tasks list: %w", err)
	}
	for line := range strings.Lines(string(out)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == id {
			return strconv.Atoi(f[1])
		}
	}
	return 0, fmt.Errorf("no container %s runs", id)
}

// containers are ctr's arguments by which it finds the kubelet's.
var containers = []string{"--address=" + containerdSocket, "--namespace=k8s.io"}
