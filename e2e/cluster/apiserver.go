package cluster

import (
	"context"
	"crypto/x509/pkix"
	"net"
	"time"

	"sallyport/e2e/wait"
)

// Issuer is the first issuer of the cluster's service account tokens, unless a
// scenario changes it.
const Issuer = "https://kubernetes.default.svc.cluster.local"

// Settings are what scenarios change of an API server.
type Settings struct {
	Issuers    []string // the first is that of new tokens
	SigningKey string   // file; see NewKey
	OldKeys    []string // files of keys that are accepted too
	JWKSURI    string   // in the discovery document; the API server's own address if empty
	Spare      bool     // prove itself by the spare authority's certificate: see PublishRoots
}

// Settings returns those in use.
func (c *Cluster) Settings() Settings {
	s := c.settings
	s.Issuers, s.OldKeys = append([]string{}, s.Issuers...), append([]string{}, s.OldKeys...)
	return s
}

// Reconfigure restarts the API server with other settings, and waits until pods
// can use it.
func (c *Cluster) Reconfigure(ctx context.Context, s Settings) error {
	c.settings = s
	// Killed, as it takes its time to end, and takes itself from its Service.
	if err := c.APIServer.Kill(); err != nil {
		return err
	}
	if err := c.APIServer.Restart(c.apiServerFlags()...); err != nil {
		return err
	}
	return c.WaitServed(ctx)
}

// WaitServed waits until the API server, which was away, is ready, and pods reach
// it by its Service: an API server that ends takes itself from there. The
// programs that make pods and Services work start anew, as they would look for
// the API server no more than twice a minute by then. The kubelet does not:
// scenarios tell what its start does to tokens.
func (c *Cluster) WaitServed(ctx context.Context) error {
	if err := c.WaitReady(ctx); err != nil {
		return err
	}
	for _, p := range []*Process{c.ControllerManager, c.Scheduler, c.Proxy} {
		if err := p.Restart(); err != nil {
			return err
		}
	}
	return wait.For(ctx, "the API server's Service", startTime, func(ctx context.Context) error {
		dialer := net.Dialer{Timeout: time.Second}
		conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(apiServiceIP, "443"))
		if err != nil {
			return err
		}
		return conn.Close()
	})
}

// PublishRoots tells all pods the certificate of the authority that the API
// server's is from, as kube-root-ca.crt. The control plane's and the node's own
// programs trust both authorities all the time.
func (c *Cluster) PublishRoots() error {
	return c.ControllerManager.Restart(c.controllerManagerFlags()...)
}

// NewKey makes a key to sign service accounts' tokens with, and returns its
// file. The public half is beside it, with .pub at the end.
func (c *Cluster) NewKey(name string) (string, error) {
	file := c.ca.path(name + ".key")
	return file, newSigningKey(file)
}

func (c *Cluster) apiServer() *Process {
	return c.process("kube-apiserver", c.program("kube-apiserver"), c.apiServerFlags()...)
}

func (c *Cluster) apiServerFlags() []string {
	pki, s, serving := c.ca.path, c.settings, c.ca
	if s.Spare {
		serving = c.spare
	}
	flags := []string{
		"--etcd-servers=" + etcdClientURL,
		"--advertise-address=" + nodeAddress, "--secure-port=" + apiServerPort,
		"--tls-cert-file=" + serving.path("apiserver.crt"), "--tls-private-key-file=" + serving.path("apiserver.key"),
		"--client-ca-file=" + pki("ca.crt"),
		"--kubelet-client-certificate=" + pki("admin.crt"), "--kubelet-client-key=" + pki("admin.key"),
		"--kubelet-preferred-address-types=InternalIP", // there is no DNS for the node's name
		"--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction",
		"--service-cluster-ip-range=" + serviceRange,
		"--service-account-signing-key-file=" + s.SigningKey,
		"--service-account-key-file=" + s.SigningKey + ".pub",
		"--audit-policy-file=" + c.path("audit.yaml"), "--audit-log-path=" + c.AuditLog(),
	}
	for _, key := range s.OldKeys {
		flags = append(flags, "--service-account-key-file="+key+".pub")
	}
	for _, issuer := range s.Issuers {
		flags = append(flags, "--service-account-issuer="+issuer)
	}
	if s.JWKSURI != "" {
		flags = append(flags, "--service-account-jwks-uri="+s.JWKSURI)
	}
	return flags
}

// issueServing has the authority sign the API server's certificate.
func (ca *authority) issueServing() error {
	names := []string{"kubernetes", "kubernetes.default", "kubernetes.default.svc", "localhost"}
	return ca.issue("apiserver", pkix.Name{CommonName: "kube-apiserver"}, names,
		ip(nodeAddress), ip(apiServiceIP), ip("127.0.0.1"))
}
