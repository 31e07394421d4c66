package cluster

import (
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"os"
)

// identities makes the certificates, the key of the service accounts' tokens, a
// kubeconfig for each client, and the policy of the audit log.
func (c *Cluster) identities() error {
	ca, err := newAuthority(c.path("pki"))
	if err != nil {
		return err
	}
	c.ca = ca
	if c.spare, err = newAuthority(c.path("pki-spare")); err != nil {
		return err
	}
	if err := errors.Join(ca.issueServing(), c.spare.issueServing(), c.writeRoots()); err != nil {
		return err
	}
	for name, subject := range map[string]pkix.Name{
		"admin":              {CommonName: "e2e", Organization: []string{"system:masters"}},
		"controller-manager": {CommonName: "system:kube-controller-manager"},
		"scheduler":          {CommonName: "system:kube-scheduler"},
		"proxy":              {CommonName: "system:kube-proxy"},
		"kubelet":            {CommonName: "system:node:" + nodeName, Organization: []string{"system:nodes"}},
	} {
		if err := ca.issue(name, subject, nil); err != nil {
			return err
		}
		if err := c.writeKubeconfig(name); err != nil {
			return err
		}
	}
	if err := os.WriteFile(c.path("audit.yaml"), []byte(auditPolicy), 0o644); err != nil {
		return err
	}
	key, err := c.NewKey("accounts")
	c.settings = Settings{Issuers: []string{Issuer}, SigningKey: key}
	return err
}

// writeRoots writes what the cluster's own programs trust: both authorities.
func (c *Cluster) writeRoots() error {
	var all []byte
	for _, ca := range []*authority{c.ca, c.spare} {
		data, err := os.ReadFile(ca.path("ca.crt"))
		if err != nil {
			return err
		}
		all = append(all, data...)
	}
	return os.WriteFile(c.path("roots.crt"), all, 0o644)
}

func (c *Cluster) kubeconfig(name string) string { return c.path(name + ".kubeconfig") }

func (c *Cluster) writeKubeconfig(name string) error {
	text := fmt.Sprintf(`apiVersion: v1
kind: Config
clusters:
- name: e2e
  cluster: {server: %q, certificate-authority: %q}
users:
- name: e2e
  user: {client-certificate: %q, client-key: %q}
contexts:
- name: e2e
  context: {cluster: e2e, user: e2e}
current-context: e2e
`, apiServerURL, c.path("roots.crt"), c.ca.path(name+".crt"), c.ca.path(name+".key"))
	return os.WriteFile(c.kubeconfig(name), []byte(text), 0o600)
}

func (c *Cluster) etcd() *Process {
	return c.process("etcd", c.program("server"),
		"--data-dir="+c.path("etcd"),
		"--listen-client-urls="+etcdClientURL, "--advertise-client-urls="+etcdClientURL,
		"--listen-peer-urls="+etcdPeerURL,
		"--unsafe-no-fsync", // the data is thrown away
		"--log-level=warn")
}

// auditPolicy has a line written for each TokenReview: who asked, and with which
// token of theirs, by its id. Not what was asked, which has a token in it.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
  resources: [{group: authentication.k8s.io, resources: [tokenreviews]}]
- level: None
`

// AuditLog returns the path of the API server's log of TokenReviews: a JSON
// object a line.
func (c *Cluster) AuditLog() string { return c.path(Logs, "audit.log") }

func (c *Cluster) controllerManager() *Process {
	return c.process("kube-controller-manager", c.program("kube-controller-manager"), c.controllerManagerFlags()...)
}

func (c *Cluster) controllerManagerFlags() []string {
	roots := c.ca
	if c.settings.Spare {
		roots = c.spare
	}
	return []string{
		"--kubeconfig=" + c.kubeconfig("controller-manager"),
		"--leader-elect=false",
		"--use-service-account-credentials",
		"--root-ca-file=" + roots.path("ca.crt"),
		"--service-account-private-key-file=" + c.settings.SigningKey,
	}
}

func (c *Cluster) scheduler() *Process {
	return c.process("kube-scheduler", c.program("kube-scheduler"),
		"--kubeconfig="+c.kubeconfig("scheduler"), "--leader-elect=false")
}
