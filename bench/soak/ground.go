package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"sallyport/bench/certificate"
	"sallyport/bench/gate"
	"sallyport/bench/world"
	"sallyport/internal/minicluster"
)

const (
	// recheck and keyRefresh are shorter than any operator would have them, so that
	// seconds hold what otherwise takes minutes.
	recheck    = time.Second
	keyRefresh = "keyRefresh: {interval: 1s, cooldown: 1s, removalPause: 1s}\n"
	// peopleAudience is what the other issuer's tokens are for.
	peopleAudience = "people"
)

// A ground is the gate and all that stands around it.
type ground struct {
	*world.World
	app       *app
	issuer    *minicluster.Cluster
	provider  *minicluster.Server // serves the issuer
	cert, key string              // the paths of the listener's certificate
	gate      *gate.Gate
}

// open starts everything, with files in dir.
func open(ctx context.Context, dir, program string, flags []string) (*ground, error) {
	g := &ground{}
	if err := g.around(dir); err != nil {
		g.close()
		return nil, err
	}
	config := filepath.Join(dir, "sallyport.yaml")
	if err := os.WriteFile(config, []byte(keyRefresh+g.issuerConfig()), 0o600); err != nil {
		g.close()
		return nil, err
	}
	var err error
	g.gate, err = gate.Start(ctx, program, append(append(g.Flags(),
		"--config="+config, "--recheck="+recheck.String(), "--tls-cert-file="+g.cert, "--tls-key-file="+g.key), flags...)...)
	if err != nil {
		g.close()
		return nil, err
	}
	return g, nil
}

// around starts all but the gate.
func (g *ground) around(dir string) (err error) {
	if g.app, err = newApp(); err != nil {
		return err
	}
	if g.World, err = world.New(dir, g.app.url()); err != nil {
		return err
	}
	if g.cert, g.key, err = certificate.Write(dir); err != nil {
		return err
	}
	if g.issuer, err = minicluster.New(minicluster.Options{Keys: minicluster.SharedKeys(2, 1)}); err != nil {
		return err
	}
	if g.provider, err = g.issuer.Serve(); err != nil {
		return err
	}
	g.issuer.SetIssuers(g.provider.URL())
	g.issuer.SetJWKSURI(g.provider.URL() + "/openid/v1/jwks")
	g.issuer.Grant("system:unauthenticated", minicluster.Discover)
	return nil
}

// issuerConfig is the other issuer in the words of the configuration file.
func (g *ground) issuerConfig() string {
	ca := strings.ReplaceAll(strings.TrimSpace(string(g.provider.CAPEM())), "\n", "\n      ")
	return fmt.Sprintf(`jwt:
- issuer:
    url: %q
    audiences: [%s]
    certificateAuthority: |
      %s
  claimMappings:
    username: {claim: sub, prefix: "people:"}
`, g.provider.URL(), peopleAudience, ca)
}

// token is a new one of the cluster's.
func (g *ground) token() (string, error) { return g.Cluster.Token(world.Caller()) }

// person is a new token of the other issuer's.
func (g *ground) person() (string, error) {
	now := time.Now().Unix()
	return g.issuer.Sign(g.issuer.Header(), map[string]any{
		"iss": g.provider.URL(), "sub": "ann", "aud": peopleAudience, "iat": now, "exp": now + 3600, "jti": fmt.Sprint(time.Now().UnixNano()),
	})
}

func (g *ground) close() {
	if g.gate != nil {
		g.gate.Stop()
	}
	if g.provider != nil {
		g.provider.Stop()
	}
	if g.World != nil {
		g.World.Close()
	}
	if g.app != nil {
		g.app.close()
	}
}
