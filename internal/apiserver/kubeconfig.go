package apiserver

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	neturl "net/url"
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
	config *rest.Config
}

// ReadKubeconfig reads the file.
func ReadKubeconfig(path string) (*Kubeconfig, error) {
	c, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(
		&clientcmd.ClientConfigLoadingRules{ExplicitPath: path}, nil).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig %s: %w", path, err)
	}
	return &Kubeconfig{c}, nil
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
// they are, and answers bounded as those of [New].
func (k *Kubeconfig) Client() (*http.Client, error) {
	c := rest.CopyConfig(k.config)
	c.Proxy = func(*http.Request) (*neturl.URL, error) { return nil, nil }
	rt, err := rest.TransportFor(c)
	if err != nil {
		return nil, fmt.Errorf("the kubeconfig's credentials: %w", err)
	}
	return client(rt), nil
}

// fixed are roots that never change.
type fixed struct{ pool *x509.CertPool }

func (f fixed) Roots() *x509.CertPool { return f.pool }
func (f fixed) Reread() bool          { return false }
