package main

import (
	"context"
	"errors"
	"os"
	"time"

	"sallyport/bench/certificate"
	"sallyport/internal/minicluster"
)

// A phase is something that happens for a while, and ends well.
type phase struct {
	name string
	// everybody and newcomers are what calls may get, beside 200, because of it:
	// those of all, and those with a token of the cluster's that was never seen.
	everybody, newcomers []string
	// run does it until ctx ends, and then undoes it.
	run func(ctx context.Context, g *ground, c *crowd) error
}

// away is what newcomers get while the API server is: nobody can examine them.
var away = []string{"503"}

func phases() []phase {
	return []phase{
		{name: "own token rotates", run: ownToken},
		{name: "signing keys rotate", run: signingKeys},
		{name: "certificates rotate", run: certificates},
		{name: "API server down", newcomers: away, run: func(ctx context.Context, g *ground, _ *crowd) error {
			g.Server.Stop()
			<-ctx.Done()
			return g.Server.Start()
		}},
		{name: "API server hangs", newcomers: away, run: fails(cluster, minicluster.Fault{Hang: true})},
		{name: "API server: 500", newcomers: away, run: fails(cluster, minicluster.Fault{Status: 500})},
		{name: "API server: half", newcomers: away, run: fails(cluster, minicluster.Fault{Body: minicluster.Truncate})},
		{name: "issuer hangs", run: fails(issuer, minicluster.Fault{Hang: true})},
		{name: "issuer endless", run: fails(issuer, minicluster.Fault{Body: minicluster.Oversize})},
		{name: "app down", everybody: []string{"502"}, run: func(ctx context.Context, g *ground, _ *crowd) error {
			g.app.stop()
			<-ctx.Done()
			return g.app.start()
		}},
		// Some do not wait for it.
		{name: "app slow", run: func(ctx context.Context, g *ground, _ *crowd) error {
			g.app.fault.Store(slow)
			defer g.app.fault.Store(well)
			return g.impatient(ctx)
		}},
		{name: "app resets", everybody: []string{"cut", "502"}, run: func(ctx context.Context, g *ground, _ *crowd) error {
			g.app.fault.Store(resets)
			defer g.app.fault.Store(well)
			<-ctx.Done()
			return nil
		}},
		{name: "bad tokens", run: floods},
		{name: "slow headers", run: loris},
		{name: "streams", run: streams},
	}
}

func cluster(g *ground) *minicluster.Cluster { return g.Cluster }
func issuer(g *ground) *minicluster.Cluster  { return g.issuer }

// fails has a cluster fail at everything.
func fails(of func(*ground) *minicluster.Cluster, f minicluster.Fault) func(context.Context, *ground, *crowd) error {
	return func(ctx context.Context, g *ground, _ *crowd) error {
		of(g).Fail(minicluster.All, f)
		<-ctx.Done()
		of(g).Heal()
		return nil
	}
}

// every does something again and again until ctx ends.
func every(ctx context.Context, pause time.Duration, do func(i int) error) error {
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for i := 0; ctx.Err() == nil; i++ {
		if err := do(i); err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	return nil
}

func ownToken(ctx context.Context, g *ground, _ *crowd) error {
	return every(ctx, 100*time.Millisecond, func(int) error { return g.Volume.RotateNow() })
}

// keysTimeout is how long a gate may take to fetch new keys: it does so every
// second, and the machine is busy.
const keysTimeout = 20 * time.Second

// signingKeys publishes a key, signs with it, and withdraws the one before, as the
// documentation of Kubernetes says, of both issuers. It goes on until it is done,
// though ctx has ended.
func signingKeys(ctx context.Context, g *ground, c *crowd) error {
	return every(ctx, time.Second, func(int) error {
		var old, fresh [2]string
		both := []*minicluster.Cluster{g.Cluster, g.issuer}
		for i, of := range both {
			var err error
			old[i] = of.SigningKey()
			if fresh[i], err = of.AddKey(); err != nil {
				return err
			}
		}
		if err := fetched(both); err != nil {
			return err
		}
		for i, of := range both {
			if err := of.SignWith(fresh[i]); err != nil {
				return err
			}
		}
		c.renew()
		// Our own token is from the old key: the API server must not refuse us.
		if err := g.Volume.RotateNow(); err != nil {
			return err
		}
		time.Sleep(2 * time.Second) // calls with old tokens end, and the gate reads its new one
		for i, of := range both {
			of.RemoveKey(old[i])
		}
		return nil
	})
}

// fetched waits until the gate has fetched the keys of each. When it begins the
// second time, it has those of the first.
func fetched(of []*minicluster.Cluster) error {
	deadline := time.Now().Add(keysTimeout)
	for _, c := range of {
		for n := c.Counts().Keys; c.Counts().Keys < n+2; time.Sleep(20 * time.Millisecond) {
			if time.Now().After(deadline) {
				return errors.New("the gate fetches no keys")
			}
		}
	}
	return nil
}

// certificates replaces those of the listener, torn every second time, of the API
// server with its CA, and of the other issuer.
func certificates(ctx context.Context, g *ground, _ *crowd) error {
	return every(ctx, 200*time.Millisecond, func(i int) error {
		cert, key, err := certificate.New()
		if err != nil {
			return err
		}
		if i%2 == 1 {
			cert = cert[:len(cert)/2]
		}
		return errors.Join(
			os.WriteFile(g.cert, cert, 0o600), os.WriteFile(g.key, key, 0o600),
			g.Server.RotateCA(), g.Volume.RotateNow(), g.provider.RotateCertificate(),
		)
	})
}
