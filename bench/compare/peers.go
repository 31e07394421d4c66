package main

import (
	"context"
	"os"
	"strings"

	"sallyport/bench/world"
	"sallyport/internal/minicluster"
)

// A peer is another authenticating proxy, whose binary is given.
type peer struct {
	name, about string
	args        func(at *site, addr string, tls bool) ([]string, error)
}

var peers = []peer{
	{"kube-rbac-proxy", "TokenReview, remembered; authorization by a static rule", rbacProxyArgs},
	{"oauth2-proxy", "bearer JWTs", oauth2ProxyArgs},
}

func peerNames() (names []string) {
	for _, p := range peers {
		names = append(names, p.name)
	}
	return names
}

// peersOf reads name=file,name=file.
func peersOf(list string) (all []contestant, err error) {
	if list == "" {
		return nil, nil
	}
	for _, item := range strings.Split(list, ",") {
		name, file, _ := strings.Cut(item, "=")
		known, err := some(name, peers, func(p peer) string { return p.name })
		if err != nil {
			return nil, err
		}
		if _, err := os.Stat(file); err != nil {
			return nil, err
		}
		for _, p := range known {
			all = append(all, p.contestant(file))
		}
	}
	return all, nil
}

func (p peer) contestant(file string) contestant {
	return contestant{
		name: p.name, about: p.about, authenticates: true,
		start: func(ctx context.Context, at *site, s *scenario) (*instance, error) {
			var failed error
			process, addr, err := at.launch(ctx, file, func(addr string) (args []string) {
				args, failed = p.args(at, addr, s.listener.tls())
				return args
			})
			if failed != nil {
				err = failed
			}
			return &instance{Process: process, addr: addr}, err
		},
		without: func(s *scenario) string {
			if s.listener == h2c {
				return "it has no HTTP/2 in clear"
			}
			return ""
		},
	}
}

// rbacProxyArgs are kube-rbac-proxy's (v0.21). Without the static rule, which lets
// every proven caller do anything, it would ask the API server for an authorization
// too, which Sallyport does not do and minicluster does not know.
func rbacProxyArgs(at *site, addr string, tls bool) ([]string, error) {
	rule := at.file("kube-rbac-proxy.yaml")
	text := "authorization:\n  static:\n  - resourceRequest: false\n"
	if err := os.WriteFile(rule, []byte(text), 0o600); err != nil {
		return nil, err
	}
	args := []string{
		"--upstream=" + at.app + "/", "--kubeconfig=" + at.world.Kubeconfig(), "--config-file=" + rule,
		"--auth-token-audiences=" + world.Audience, "--auth-header-fields-enabled=true", "--v=0",
	}
	if !tls {
		return append(args, "--insecure-listen-address="+addr), nil
	}
	return append(args, "--secure-listen-address="+addr, "--tls-cert-file="+at.cert, "--tls-private-key-file="+at.key), nil
}

// oauth2ProxyArgs are oauth2-proxy's (v7). Its logs are off: it would write a line
// for each request, which none of the others does. What it needs for people's
// logins is there and is not used.
func oauth2ProxyArgs(at *site, addr string, tls bool) ([]string, error) {
	// It reads keys without a credential.
	at.world.Cluster.Grant("system:unauthenticated", minicluster.Discover)
	api := at.world.APIServer()
	args := []string{
		"--provider=oidc", "--oidc-issuer-url=" + minicluster.DefaultIssuer, "--skip-oidc-discovery=true",
		"--oidc-jwks-url=" + api + "/openid/v1/jwks", "--login-url=" + api + "/login", "--redeem-url=" + api + "/redeem",
		"--provider-ca-file=" + at.world.CAFile(), "--client-id=" + world.Audience, "--client-secret=unused",
		"--cookie-secret=0123456789abcdef0123456789abcdef", "--redirect-url=http://" + addr + "/oauth2/callback",
		"--skip-jwt-bearer-tokens=true", "--bearer-token-login-fallback=false", "--oidc-email-claim=sub",
		"--insecure-oidc-allow-unverified-email=true", "--email-domain=*", "--pass-user-headers=true",
		"--request-logging=false", "--auth-logging=false", "--standard-logging=false", "--upstream=" + at.app + "/",
	}
	if !tls {
		return append(args, "--http-address="+addr), nil
	}
	return append(args, "--http-address=", "--https-address="+addr, "--tls-cert-file="+at.cert, "--tls-key-file="+at.key), nil
}
