package cluster

import (
	"crypto/x509/pkix"
	"fmt"
	"os"
)

// Issuer is the first issuer of the cluster's service account tokens.
const Issuer = "https://kubernetes.default.svc.cluster.local"

// identities makes the certificates, the key of the service accounts' tokens, a
// kubeconfig for each client, and the policy of the audit log.
func (c *Cluster) identities() error {
	ca, err := newAuthority(c.path("pki"))
	if err != nil {
		return err
	}
	c.ca = ca
	names := []string{"kubernetes", "kubernetes.default", "kubernetes.default.svc", "localhost"}
	err = ca.issue("apiserver", pkix.Name{CommonName: "kube-apiserver", Organization: []string{"system:masters"}}, names,
		ip(nodeAddress), ip(apiServiceIP), ip("127.0.0.1"))
	if err != nil {
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
	return newSigningKey(ca.path("accounts.key"))
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
`, apiServerURL, c.ca.path("ca.crt"), c.ca.path(name+".crt"), c.ca.path(name+".key"))
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

func (c *Cluster) apiServer() *Process {
	pki := c.ca.path
	return c.process("kube-apiserver", c.program("kube-apiserver"),
		"--etcd-servers="+etcdClientURL,
		"--advertise-address="+nodeAddress, "--secure-port="+apiServerPort,
		"--tls-cert-file="+pki("apiserver.crt"), "--tls-private-key-file="+pki("apiserver.key"),
		"--client-ca-file="+pki("ca.crt"),
		"--kubelet-client-certificate="+pki("apiserver.crt"), "--kubelet-client-key="+pki("apiserver.key"),
		"--kubelet-preferred-address-types=InternalIP", // there is no DNS for the node's name
		"--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction",
		"--service-cluster-ip-range="+serviceRange,
		"--service-account-issuer="+Issuer,
		"--service-account-key-file="+pki("accounts.key.pub"),
		"--service-account-signing-key-file="+pki("accounts.key"),
		"--audit-policy-file="+c.path("audit.yaml"), "--audit-log-path="+c.AuditLog())
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
	return c.process("kube-controller-manager", c.program("kube-controller-manager"),
		"--kubeconfig="+c.kubeconfig("controller-manager"),
		"--leader-elect=false",
		"--use-service-account-credentials",
		"--root-ca-file="+c.ca.path("ca.crt"),
		"--service-account-private-key-file="+c.ca.path("accounts.key"))
}

func (c *Cluster) scheduler() *Process {
	return c.process("kube-scheduler", c.program("kube-scheduler"),
		"--kubeconfig="+c.kubeconfig("scheduler"), "--leader-elect=false")
}
