package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"go.uber.org/zap"

	"sallyport/internal/authn/jwt"
	"sallyport/internal/bypass"
	"sallyport/internal/certfile"
	"sallyport/internal/config"
	"sallyport/internal/doctor"
	"sallyport/internal/filewatch"
	"sallyport/internal/telemetry"
)

const doctorIntro = `Usage: sallyport doctor [flags of serve] [flags]

Looks at all that serve needs: our own token, the API server and our rights there,
keys, clocks, the app, the certificate. Says what is the matter and how to mend it.
Without flags of serve it takes those of the serve that runs in this container;
--pid says of which, where there are more.

  kubectl exec POD -c sallyport -- /sallyport doctor
  sallyport doctor --config sallyport.yaml --kubeconfig ~/.kube/config

It takes 8 s at most. Exit code: 0 nothing failed; 1 something did; 2 usage.`

var doctorCommand = command{
	name:    "doctor",
	summary: "say what is the matter around the gate, and how to mend it",
	run: func(ctx context.Context, args []string, s streams) error {
		fs := pflag.NewFlagSet("doctor", pflag.ContinueOnError)
		output := fs.StringP("output", "o", "text", "text or json")
		pid := pidFlag(fs)
		own, args := ownFlags(fs, args)
		if err := parseFlags(fs, own, doctorIntro, s.out); err != nil {
			return ignoreHelp(err)
		}
		if *output != "text" && *output != "json" {
			return usagef("--output: %q is neither text nor json", *output)
		}
		c, err := loadAsServe(args, *pid, s)
		if err != nil {
			return err
		}
		lines := doctor.Run(ctx, newPatient(c).checks())
		write := doctor.Text
		if *output == "json" {
			write = doctor.JSON
		}
		if err := write(s.out, lines); err != nil {
			return err
		}
		if doctor.Failures(lines) > 0 {
			return errRefused
		}
		return nil
	},
}

// patience is for one call: as long as serve waits for a review, or for keys.
const patience = 3 * time.Second

// A patient is what serve would be with a configuration, as far as it can be.
type patient struct {
	*config.Config
	cluster *cluster
	decider *decider
	// broken is why there is no cluster or no decider.
	broken error
	// claims are those of our own token, nil where there is none.
	claims *jwt.Claims
}

func newPatient(c *config.Config) *patient {
	p, log := &patient{Config: c}, zap.NewNop()
	if p.cluster, p.broken = openCluster(c, filewatch.NewWatcher(log), log); p.broken != nil {
		return p
	}
	if p.cluster.token != nil {
		raw, err := p.cluster.token.Token()
		if t, e := jwt.Decode(raw); err == nil && e == nil {
			p.claims = &t.Claims
		}
	}
	p.decider, p.broken = newDecider(c, p.cluster, nil, telemetry.New(telemetry.Options{}), log)
	return p
}

// checks are in the order in which one thing rests on another.
func (p *patient) checks() []doctor.Check {
	all := []doctor.Check{{About: "configuration", Look: p.configuration}}
	if p.decider != nil {
		all = append(all,
			doctor.Check{About: "own token", Look: p.ownToken},
			doctor.Check{About: "API server", Look: p.apiServer},
			doctor.Check{About: "reviews", Look: p.reviews})
		for _, f := range p.decider.fetches {
			all = append(all, doctor.Check{About: "keys", Look: p.fetch(f)})
		}
	}
	return append(all,
		doctor.Check{About: "app", Look: p.app},
		doctor.Check{About: "past the gate", Look: p.pastTheGate},
		doctor.Check{About: "certificate", Look: p.certificate},
		doctor.Check{About: "gate", Look: p.gate})
}

func (p *patient) configuration(context.Context) (lines []doctor.Line) {
	if p.broken != nil {
		lines = append(lines, doctor.Broken(p.broken, "serve would not start with it; what needs the API server was not looked at"))
	}
	if err := p.CheckFiles(); err != nil {
		for line := range strings.Lines(err.Error()) {
			lines = append(lines, doctor.Broken(fmt.Errorf("%s", strings.TrimSpace(line)), "serve would not start with it"))
		}
	}
	for _, w := range p.Warnings {
		lines = append(lines, doctor.Warn(w, "see docs/configuration.md"))
	}
	if len(lines) == 0 {
		lines = append(lines, doctor.Well(fmt.Sprintf("mode %s, for %s", p.Mode, strings.Join(p.Audiences, " and "))))
	}
	return lines
}

func (p *patient) ownToken(context.Context) []doctor.Line {
	if p.cluster.token == nil {
		return []doctor.Line{doctor.Skip("there is none: the kubeconfig's own credentials are used")}
	}
	return doctor.OwnToken(p.cluster.token.Status(), p.claims, p.TokenFile, time.Now())
}

// apiServer calls the one address that everybody with a credential may read.
func (p *patient) apiServer(ctx context.Context) []doctor.Line {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.cluster.host+"/version", nil)
	if err != nil {
		return []doctor.Line{doctor.Broken(err, "")}
	}
	before := time.Now()
	resp, err := p.cluster.reviews.Do(req)
	after := time.Now()
	if err == nil {
		_ = resp.Body.Close() // what it says does not matter
	}
	clock := doctor.Clock(resp, before, after, p.Leeway)
	clock.Text = "the clock: " + clock.Text
	return []doctor.Line{doctor.APIServer(p.cluster.host, resp, err, after.Sub(before)), clock}
}

func (p *patient) reviews(ctx context.Context) []doctor.Line {
	if p.decider.reviews == nil {
		return []doctor.Line{doctor.Skip("mode oidc asks nobody about tokens")}
	}
	return []doctor.Line{doctor.Reviews(p.decider.reviews.MayAsk(ctx), doctor.SubjectOf(p.claims))}
}

func (p *patient) fetch(f fetch) func(context.Context) []doctor.Line {
	return func(ctx context.Context) []doctor.Line {
		ctx, cancel := context.WithTimeout(ctx, patience+time.Second) // it ends by itself
		defer cancel()
		err := f.once(ctx)
		if f.url != "" {
			return []doctor.Line{doctor.Issuer(f.url, err)}
		}
		return []doctor.Line{doctor.Keys(f.what, err, f.needed, doctor.SubjectOf(p.claims))}
	}
}

func (p *patient) app(ctx context.Context) []doctor.Line {
	at := p.Upstream.Address()
	return []doctor.Line{doctor.App(at.String(), p.connect(ctx, at))}
}

// connect connects to the app as far as its certificate. It sends no request:
// the app would have to answer one without an identity.
func (p *patient) connect(ctx context.Context, at config.Address) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second) // as long as serve waits
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, at.Network, at.Name)
	if err != nil {
		return err
	}
	defer conn.Close()
	if p.Upstream.URL.Scheme != "https" {
		return nil
	}
	c := &tls.Config{ServerName: p.Upstream.ServerName, MinVersion: tls.VersionTLS12}
	if c.ServerName == "" {
		c.ServerName = p.Upstream.URL.Hostname()
	}
	if p.Upstream.CAFile != "" {
		pool, err := certfile.OpenPool(zap.NewNop(), nil, p.Upstream.CAFile)
		if err != nil {
			return err
		}
		c.RootCAs = pool.Roots()
	}
	return tls.Client(conn, c).HandshakeContext(ctx)
}

func (p *patient) pastTheGate(ctx context.Context) []doctor.Line {
	if why := noBypassCheck(p.Config); why != "" {
		if len(p.PodIPs) == 0 && p.BypassCheck != config.BypassOff && p.Upstream.Local() && p.Upstream.Address().Network != "unix" {
			return []doctor.Line{doctor.Warn("nobody looks whether the app answers at the pod's addresses too: "+why,
				"--pod-ips=$(POD_IPS) and --host-ips=$(HOST_IPS), with those variables from status.podIPs and status.hostIPs, as in deploy/sidecar.yaml")}
		}
		return []doctor.Line{doctor.Skip(why)}
	}
	app, port := appAddress(p.Config)
	past := bypass.Past(p.PodIPs, port, p.listeners())
	if len(past) == 0 {
		return []doctor.Line{doctor.Skip("a listener of our own has the app's port at each of the pod's addresses")}
	}
	found, unknown := bypass.New(bypass.Options{App: app, Past: past, Log: zap.NewNop()}).Find(ctx)
	return []doctor.Line{doctor.Bypass(app, found, unknown, past)}
}

// listeners are where serve listens.
func (p *patient) listeners() (all []net.Addr) {
	for _, a := range []config.Address{p.Listen, p.AdminListen, p.DebugListen} {
		if a.Network != "tcp" {
			continue
		}
		if addr, err := net.ResolveTCPAddr("tcp", a.Name); err == nil {
			all = append(all, addr)
		}
	}
	return all
}

func (p *patient) certificate(context.Context) []doctor.Line {
	if p.TLS.CertFile == "" {
		return []doctor.Line{doctor.Skip("none is configured")}
	}
	pair, err := certfile.OpenKeyPair(p.TLS.CertFile, p.TLS.KeyFile, zap.NewNop(), nil)
	if err != nil {
		return []doctor.Line{doctor.Broken(err, "write a certificate and its key; a running gate goes on with the last good pair")}
	}
	cert, err := pair.GetCertificate(nil)
	if err != nil {
		return []doctor.Line{doctor.Broken(err, "")}
	}
	return []doctor.Line{doctor.Certificate(p.TLS.CertFile, cert.Leaf, time.Now())}
}

// gate asks the gate itself, where one runs here.
func (p *patient) gate(ctx context.Context) []doctor.Line {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second) // it is in this pod
	defer cancel()
	client, base := localClient(here(p.AdminListen))
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/readyz", nil)
	if err != nil {
		return []doctor.Line{doctor.Broken(err, "")}
	}
	resp, err := client.Do(req)
	if err != nil {
		return []doctor.Line{doctor.Skip("no gate answers at " + p.AdminListen.Name + ": only what it would need was looked at")}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 4<<10)) // a line a problem
	switch {
	case err != nil:
		return []doctor.Line{doctor.Broken(err, "look at its log")}
	case resp.StatusCode == http.StatusOK:
		return []doctor.Line{doctor.Well("it is ready")}
	}
	return []doctor.Line{doctor.Broken(fmt.Errorf("not ready: %s", strings.Join(strings.Fields(string(body)), " ")), "see the lines above, and its log")}
}

// here is how a listener is reached from its own pod.
func here(a config.Address) config.Address {
	host, port, err := net.SplitHostPort(a.Name)
	if ip, e := netip.ParseAddr(host); err == nil && (host == "" || e == nil && ip.Unmap().IsUnspecified()) {
		a.Name = net.JoinHostPort("127.0.0.1", port)
	}
	return a
}
