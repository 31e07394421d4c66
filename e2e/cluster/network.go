package cluster

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
)

// The addresses of a cluster. Each cluster has a network of its own, so they can
// be the same in all.
const (
	nodeAddress    = "10.77.0.1"
	podRange       = "10.77.1.0/24"
	serviceRange   = "10.80.0.0/14" // so large that a new Service does not get the address of one that is about to go
	apiServiceIP   = "10.80.0.1"    // the first of serviceRange: kubernetes.default
	apiServerPort  = "6443"
	apiServerURL   = "https://" + nodeAddress + ":" + apiServerPort
	etcdClientURL  = "http://127.0.0.1:2379"
	etcdPeerURL    = "http://127.0.0.1:2380"
	nodeName       = "node"
	pluginsFolder  = "/usr/lib/cni"
	networkVersion = "1.0.0" // of CNI, which containerd 1.6 and Debian 12's plugins speak
)

// network gives the node its address and writes the pods' network to dir.
//
// Each pod has a cable to the node (the plugin ptp), which routes. With a bridge
// an answer from pod to pod would not pass the node's address translation, and
// Services would not work between them.
func (c *Cluster) network(ctx context.Context, dir string) error {
	for _, args := range [][]string{
		{"address", "add", nodeAddress + "/32", "dev", "lo"},
		// Programs of Kubernetes look for a default route to know the node by.
		{"route", "add", "default", "dev", "lo", "src", nodeAddress},
	} {
		if err := run(ctx, "/", nil, "ip", args...); err != nil {
			return err
		}
	}
	if err := os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	conf := fmt.Sprintf(`{
  "cniVersion": %q, "name": "pods",
  "plugins": [{
    "type": "ptp",
    "ipam": {"type": "host-local", "dataDir": %q, "ranges": [[{"subnet": %q}]], "routes": [{"dst": "0.0.0.0/0"}]}
  }]
}`, networkVersion, filepath.Join(c.dir, "addresses"), podRange)
	return os.WriteFile(filepath.Join(dir, "10-pods.conflist"), []byte(conf), 0o644)
}

func ip(s string) net.IP { return net.ParseIP(s) }
