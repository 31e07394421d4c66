package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"go.uber.org/zap"

	"sallyport/internal/apiserver"
	"sallyport/internal/authn/oidc"
	"sallyport/internal/certfile"
	"sallyport/internal/config"
	"sallyport/internal/filewatch"
	"sallyport/internal/tokenfile"
)

// A cluster is what we need of the API server: where it is, our own token, and
// what we learn of it.
type cluster struct {
	host string
	// reviews and keys reach the API server with our own credential; keys also
	// trusts --issuer-ca-file.
	reviews, keys *http.Client
	// token is nil where the kubeconfig's credentials are used.
	token *tokenfile.Source
	// roots are the CA files that are followed.
	roots []*certfile.Pool

	issuers      *oidc.Names
	apiAudiences *oidc.Names
	// accepted are the audiences of our own tokens: unless it was given others,
	// the API server's audiences are the issuers that it accepts.
	accepted *oidc.Names
	learn    bool // issuers, that is: --issuer names them otherwise
	ours     []string
	log      *zap.Logger
}

// openCluster finds the API server. It does not call it.
func openCluster(c *config.Config, files *filewatch.Watcher, log *zap.Logger) (*cluster, error) {
	cl := &cluster{
		issuers:      oidc.NewNames(c.Issuers...),
		apiAudiences: oidc.NewNames(append(c.APIAudiences, c.Issuers...)...),
		accepted:     oidc.NewNames(),
		learn:        len(c.Issuers) == 0,
		ours:         slices.Clone(c.Audiences),
		log:          log,
	}
	for _, j := range c.JWT {
		cl.ours = append(cl.ours, j.Audiences...)
	}
	var err error
	if c.Kubeconfig != "" {
		err = cl.fromKubeconfig(c, files)
	} else {
		err = cl.inCluster(c, files)
	}
	return cl, err
}

func (cl *cluster) inCluster(c *config.Config, files *filewatch.Watcher) (err error) {
	if cl.host, err = apiserver.InCluster(); err != nil {
		return err
	}
	// The kubelet writes the CA into the volume that has the token.
	ca := filepath.Join(filepath.Dir(c.TokenFile), "ca.crt")
	return cl.withTokenFile(c, files, ca)
}

func (cl *cluster) fromKubeconfig(c *config.Config, files *filewatch.Watcher) error {
	k, err := apiserver.ReadKubeconfig(c.Kubeconfig)
	if err != nil {
		return err
	}
	cl.host = k.Host()
	if _, err := os.Stat(c.TokenFile); !c.TokenFileSet && errors.Is(err, fs.ErrNotExist) {
		if cl.reviews, err = k.Client(); err != nil {
			return err
		}
		if c.IssuerCAFile != "" {
			return errors.New("--issuer-ca-file goes with a token file, and not with a kubeconfig's own credentials: put that CA into the kubeconfig's certificate-authority")
		}
		cl.keys = cl.reviews
		return nil
	}
	if k.CAFile() != "" {
		return cl.withTokenFile(c, files, k.CAFile())
	}
	if c.IssuerCAFile != "" {
		return errors.New("--issuer-ca-file needs a kubeconfig that names its certificate-authority as a file")
	}
	roots, err := k.Roots()
	if err != nil {
		return err
	}
	if err := cl.openToken(c, files); err != nil {
		return err
	}
	cl.reviews, err = cl.client(roots)
	cl.keys = cl.reviews
	return err
}

// withTokenFile uses our own token, and the CA in a file.
func (cl *cluster) withTokenFile(c *config.Config, files *filewatch.Watcher, ca string) error {
	if err := cl.openToken(c, files); err != nil {
		return err
	}
	pool, err := cl.pool(files, ca)
	if err != nil {
		return err
	}
	if cl.reviews, err = cl.client(pool); err != nil {
		return err
	}
	cl.keys = cl.reviews
	if c.IssuerCAFile != "" {
		if pool, err = cl.pool(files, ca, c.IssuerCAFile); err != nil {
			return err
		}
		cl.keys, err = cl.client(pool)
	}
	return err
}

func (cl *cluster) openToken(c *config.Config, files *filewatch.Watcher) (err error) {
	cl.token, err = tokenfile.Open(tokenfile.Options{
		Path: c.TokenFile, Log: cl.log, Hints: files.Hints(c.TokenFile), OnToken: cl.learnFrom,
	})
	return err
}

func (cl *cluster) pool(files *filewatch.Watcher, paths ...string) (*certfile.Pool, error) {
	p, err := certfile.OpenPool(cl.log, files.Hints(paths...), paths...)
	if err != nil {
		return nil, fmt.Errorf("the API server's CA: %w", err)
	}
	cl.roots = append(cl.roots, p)
	return p, nil
}

func (cl *cluster) client(roots apiserver.Roots) (*http.Client, error) {
	return apiserver.New(apiserver.Options{Host: cl.host, Roots: roots, Token: cl.token.Token})
}

// ready says what is missing of our own credential before the first request.
func (cl *cluster) ready() error {
	for _, p := range cl.roots {
		if !p.Ready() {
			return errors.New("the API server's CA file is missing")
		}
	}
	if cl.token == nil {
		return nil
	}
	if _, err := cl.token.Token(); err != nil {
		return err
	}
	return cl.expired(0)
}

// expired says that our own token expired longer than grace ago.
func (cl *cluster) expired(grace time.Duration) error {
	if cl.token == nil {
		return nil
	}
	s := cl.token.Status()
	if !s.Expires.IsZero() && time.Since(s.Expires) > grace {
		return fmt.Errorf("our own token expired at %s and the kubelet has not replaced it", s.Expires.UTC().Format(time.RFC3339))
	}
	return nil
}

// rejected is called when the API server refuses our own token.
func (cl *cluster) rejected() {
	if cl.token != nil {
		cl.token.Reread()
	}
}

func (cl *cluster) runs() (runs []func(context.Context) error) {
	if cl.token != nil {
		runs = append(runs, cl.token.Run)
	}
	for _, p := range cl.roots {
		runs = append(runs, p.Run)
	}
	return runs
}
