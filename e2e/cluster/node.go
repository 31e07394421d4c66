package cluster

import (
	"fmt"
	"os"
	"path/filepath"
)

// PauseImage is of the container that holds a pod's namespaces. It is imported,
// as all images are.
const PauseImage = "docker.io/library/pause:e2e"

const (
	containerdSocket = "/run/containerd/containerd.sock" // the box has a /run of its own
	kubeletPort      = "10250"
)

func (c *Cluster) containerd() (*Process, error) {
	// Lowering the OOM score needs CAP_SYS_RESOURCE, which virtual machines may
	// lack.
	text := fmt.Sprintf(`version = 2
root = %q
state = "/run/containerd"
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs"]
[grpc]
address = %q
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = %q
restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = %q
conf_dir = %q
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
`, c.path("containerd"), containerdSocket, PauseImage, pluginsFolder, c.path("cni"))
	file := c.path("containerd.toml")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		return nil, err
	}
	return c.process("containerd", "containerd", "--config="+file), nil
}

func (c *Cluster) kubelet() (*Process, error) {
	resolver := c.path("resolv.conf")
	if err := os.WriteFile(resolver, nil, 0o644); err != nil {
		return nil, err
	}
	// Small machines: control groups of version 1, swap, little disk. Tokens are
	// looked after on the pod's resync, every syncFrequency.
	text := fmt.Sprintf(`apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication: {x509: {clientCAFile: %q}, anonymous: {enabled: false}, webhook: {enabled: true}}
authorization: {mode: Webhook}
address: %q
cgroupDriver: cgroupfs
cgroupRoot: %q
containerRuntimeEndpoint: %q
enforceNodeAllocatable: []
evictionHard: {memory.available: 50Mi, nodefs.available: 100Mi, nodefs.inodesFree: "1%%", imagefs.available: 100Mi}
failCgroupV1: false
failSwapOn: false
imageGCHighThresholdPercent: 100
imageMinimumGCAge: 24h
oomScoreAdj: 0
podLogsDir: %q
resolvConf: %q
syncFrequency: 10s
`, c.ca.path("ca.crt"), nodeAddress, "/"+filepath.Base(c.dir), "unix://"+containerdSocket,
		c.path(Logs, "pods"), resolver)
	file := c.path("kubelet.yaml")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		return nil, err
	}
	return c.process("kubelet", c.program("kubelet"),
		"--config="+file,
		"--kubeconfig="+c.kubeconfig("kubelet"),
		"--root-dir="+c.path("kubelet"), "--cert-dir="+c.path("kubelet-pki"),
		"--hostname-override="+nodeName, "--node-ip="+nodeAddress), nil
}

func (c *Cluster) proxy() (*Process, error) {
	text := fmt.Sprintf(`apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
clientConnection: {kubeconfig: %q}
clusterCIDR: %q
conntrack: {maxPerCore: 0}
hostnameOverride: %q
mode: iptables
`, c.kubeconfig("proxy"), podRange, nodeName)
	file := c.path("kube-proxy.yaml")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		return nil, err
	}
	return c.process("kube-proxy", c.program("kube-proxy"), "--config="+file), nil
}
