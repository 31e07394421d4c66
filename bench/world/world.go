// Package world is what stands around a gate that is measured: a cluster's
// issuer and API server, the gate's own token in a projected volume, an app, and
// callers with tokens. All of it lives in the driver's process.
package world

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"sallyport/internal/minicluster"
)

// Audience is the gate's.
const Audience = "app"

// A World is one cluster with one app.
type World struct {
	Cluster *minicluster.Cluster
	// Server serves the cluster. Its next CA stands beside the present one wherever
	// it is trusted, so it may change at any time, and the volume be written anew.
	Server *minicluster.Server
	// Volume has the gate's own token and those CAs.
	Volume *minicluster.Kubelet

	app    *http.Server
	appURL string
	config string // the kubeconfig's path
	token  string // the path of the gate's own token
}

// New makes a world that keeps its files in dir. The app is at a URL, or, where
// that is "", in this process too.
func New(dir, app string) (*World, error) {
	w := &World{}
	var err error
	w.Cluster, err = minicluster.New(minicluster.Options{
		Keys: minicluster.SharedKeys(0, 1),
		// A pod that is deleted is refused at once, and not after the API server's
		// own 10 s.
		CacheTTL: -1,
	})
	if err != nil {
		return nil, err
	}
	w.Cluster.CreateServiceAccount("gate", "gate")
	w.Cluster.CreatePod("gate", "gate-0", "gate", "")
	w.Cluster.Grant("system:serviceaccount:gate:gate", minicluster.Review)
	w.Cluster.CreateServiceAccount("ns", "caller")
	w.Cluster.CreatePod("ns", "caller-0", "caller", "")
	if w.Server, err = w.Cluster.Serve(); err != nil {
		return nil, err
	}
	if err := w.files(dir); err != nil {
		w.Close()
		return nil, err
	}
	if w.appURL = app; app == "" {
		if err := w.serveApp(); err != nil {
			w.Close()
			return nil, err
		}
	}
	return w, nil
}

// files writes what the gate reads: its own token, for an hour, and where the
// API server is.
func (w *World) files(dir string) error {
	var err error
	w.Volume, err = w.Cluster.Mount(minicluster.Mount{
		Dir:     filepath.Join(dir, "volume"),
		Request: minicluster.Request{Namespace: "gate", ServiceAccount: "gate", Pod: "gate-0"},
		Files: func() map[string][]byte {
			return map[string][]byte{"ca.crt": slices.Concat(w.Server.CAPEM(), w.Server.NextCAPEM())}
		},
	})
	if err != nil {
		return err
	}
	w.token = w.Volume.Path()
	w.config = filepath.Join(dir, "kubeconfig")
	return os.WriteFile(w.config, fmt.Appendf(nil, `{"apiVersion":"v1","kind":"Config","current-context":"c",
"clusters":[{"name":"c","cluster":{"server":%q,"certificate-authority":%q}}],
"contexts":[{"name":"c","context":{"cluster":"c","user":"u"}}],"users":[{"name":"u","user":{"tokenFile":%q}}]}`,
		w.Server.URL(), w.CAFile(), w.token), 0o600)
}

// serveApp serves an app that takes next to no time of its own.
func (w *World) serveApp() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	w.appURL = "http://" + l.Addr().String()
	w.app = &http.Server{
		Handler: http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Length", "3")
			_, _ = rw.Write([]byte("ok\n")) // the gate may have gone
		}),
		ReadHeaderTimeout: 10 * time.Second,
	}
	go func() { _ = w.app.Serve(l) }() // ends with ErrServerClosed
	return nil
}

// Close ends the app and the API server.
func (w *World) Close() {
	if w.app != nil {
		w.app.Close()
	}
	w.Server.Stop()
}

// Flags are those of serve that say where everything is.
func (w *World) Flags() []string {
	return []string{
		"--kubeconfig=" + w.config, "--token-file=" + w.token, "--upstream=" + w.appURL, "--audience=" + Audience,
		"--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0", "--debug-listen=127.0.0.1:0", "--drain-delay=0s",
	}
}

// APIServer is the API server's URL.
func (w *World) APIServer() string { return w.Server.URL() }

// CAFile is the file with the API server's CA.
func (w *World) CAFile() string { return filepath.Join(filepath.Dir(w.token), "ca.crt") }

// Kubeconfig is the file that says where the API server is, with the gate's own
// token.
func (w *World) Kubeconfig() string { return w.config }

// Caller is what a caller's pod asks the kubelet for.
func Caller() minicluster.Request {
	return minicluster.Request{Namespace: "ns", ServiceAccount: "caller", Pod: "caller-0", Audiences: []string{Audience}}
}

// Tokens returns n good tokens of callers.
func (w *World) Tokens(n int) ([]string, error) {
	tokens := make([]string, n)
	for i := range tokens {
		var err error
		if tokens[i], err = w.Cluster.Token(Caller()); err != nil {
			return nil, err
		}
	}
	return tokens, nil
}

// PublicKey returns the key that callers' tokens are proven by, as PEM.
func (w *World) PublicKey() ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(minicluster.SharedKeys(0, 1)[0].Public())
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), err
}
