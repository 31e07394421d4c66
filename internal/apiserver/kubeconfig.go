package apiserver

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// ErrNotInCluster means that the environment does not say where the API server
// is.
var ErrNotInCluster = errors.New("KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set: this is no pod; name a --kubeconfig")

// InCluster returns the API server's address as the kubelet gives it to each
// container.
func InCluster() (string, error) {
	host, port := os.Getenv("KUBERNETES_SERVICE_HOST"), os.Getenv("KUBERNETES_SERVICE_PORT")
	if host == "" || port == "" {
		return "", ErrNotInCluster
	}
	return "https://" + net.JoinHostPort(host, port), nil
}

// A Kubeconfig is the current context of a kubeconfig file.
type Kubeconfig struct {
	host   string
	config *rest.Config
}

// ReadKubeconfig reads the file. An empty one is an error, and not a reason to
// look elsewhere; so is a cluster that would be reached in clear or without
// proof that it is the one, as anybody in between could then say yes to any token.
func ReadKubeconfig(path string) (*Kubeconfig, error) {
	rules := clientcmd.ClientConfigLoadingRules{ExplicitPath: path}
	file, err := rules.Load()
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig %s: %w", path, err)
	}
	c, err := clientcmd.NewDefaultClientConfig(*file, &clientcmd.ConfigOverrides{}).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig %s: %w", path, err)
	}
	host, err := url.Parse(c.Host)
	switch {
	case err != nil || host.Scheme != "https" || host.Host == "":
		return nil, fmt.Errorf("the kubeconfig %s has the server %q, which is not https://host:port", path, c.Host)
	case c.Insecure:
		return nil, fmt.Errorf("the kubeconfig %s has insecure-skip-tls-verify; give it the cluster's certificate-authority", path)
	}
	return &Kubeconfig{host.Host, c}, nil
}

// Host is the API server's address.
func (k *Kubeconfig) Host() string { return k.config.Host }

// CAFile is the file with the cluster's CA, or "" where the kubeconfig holds it
// itself.
func (k *Kubeconfig) CAFile() string {
	if len(k.config.CAData) > 0 {
		return ""
	}
	return k.config.CAFile
}

// Roots returns the CA that the kubeconfig holds. An error means that it holds
// none.
func (k *Kubeconfig) Roots() (Roots, error) {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(k.config.CAData) {
		return nil, errors.New("the kubeconfig has no certificate-authority")
	}
	return fixed{pool}, nil
}

// Client returns a client with the kubeconfig's own credentials, whichever kind
// they are, and with the same bounds as that of [New]: no other host, no
// redirect, no proxy but the kubeconfig's proxy-url.
func (k *Kubeconfig) Client() (*http.Client, error) {
	c := rest.CopyConfig(k.config)
	if c.Proxy == nil {
		c.Proxy = func(*http.Request) (*url.URL, error) { return nil, nil }
	}
	rt, err := rest.TransportFor(c)
	if err != nil {
		return nil, fmt.Errorf("the kubeconfig's credentials: %w", err)
	}
	return client(k.host, rt), nil
}

// fixed are roots that never change.
type fixed struct{ pool *x509.CertPool }

func (f fixed) Roots() *x509.CertPool { return f.pool }
func (f fixed) Reread() bool          { return false }
