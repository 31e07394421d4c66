package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"sallyport/internal/bypass"
	"sallyport/internal/callers"
	"sallyport/internal/certfile"
	"sallyport/internal/config"
	"sallyport/internal/filewatch"
	"sallyport/internal/health"
	"sallyport/internal/proxy"
	"sallyport/internal/status"
	"sallyport/internal/telemetry"
	"sallyport/internal/tracing"
)

// A gate is the whole of `sallyport serve`: every package wired, every listener
// bound, nothing running yet.
type gate struct {
	config  *config.Config
	log     *zap.Logger
	level   zap.AtomicLevel
	metrics *telemetry.Metrics
	health  *health.Health
	drain   *draining
	limits  *limits
	callers *callers.Callers
	recent  *status.Recent
	ledger  *proxy.Ledger

	decider *decider
	cluster *cluster
	streams *proxy.Streams
	// certificate is nil where the data listener is in clear.
	certificate *certfile.KeyPair
	// bypass is nil where nobody looks.
	bypass *bypass.Check
	// tracer is nil where nobody wants traces.
	tracer *tracing.Tracer

	data, admin, debug *server
	runs               []func(context.Context) error
}

// newGate wires a gate. The log goes to w; where that is a [telemetry.Queue], the
// lines that it drops are counted.
func newGate(c *config.Config, w io.Writer) (*gate, error) {
	g := &gate{config: c}
	var err error
	if g.log, g.level, err = telemetry.NewLogger(c.LogLevel, c.LogFormat, w); err != nil {
		return nil, err
	}
	files := filewatch.NewWatcher(g.log)
	if g.cluster, err = openCluster(c, files, g.log); err != nil {
		return nil, err
	}
	g.limits = newLimits(c.Limits, g.log)
	g.callers = callers.New(cmp.Or(c.CallerMetrics, shownCallers))
	g.metrics = telemetry.New(g.telemetry(w))
	g.recent = status.NewRecent(g.decisions)
	g.ledger = proxy.NewLedger(observer{g.metrics, g.callers, g.recent})
	g.runs = append(g.runs, g.recent.Run)
	g.limits.metrics = g.metrics
	if g.tracer, err = newTracer(c, g.metrics, g.log); err != nil {
		return nil, err
	}
	if g.decider, err = newDecider(c, g.cluster, g.limits.examine, g.metrics, g.log); err != nil {
		return nil, err
	}
	g.health = health.New()
	g.drain = newDraining(c.DrainDelay, g.health.Drain, g.log)
	handler, err := g.handler(files)
	if err != nil {
		return nil, err
	}
	if c.TLS.CertFile != "" {
		g.certificate, err = certfile.OpenKeyPair(c.TLS.CertFile, c.TLS.KeyFile, g.log, files.Hints(c.TLS.CertFile, c.TLS.KeyFile))
		if err != nil {
			return nil, err
		}
		g.runs = append(g.runs, g.certificate.Run)
	}
	g.runs = append(g.runs, files.Run)
	g.runs = append(g.runs, g.decider.runs...)
	g.checks()
	if err := g.bind(handler); err != nil {
		return nil, err
	}
	g.watchBypass()
	return g, nil
}

// handler is the data listener's.
func (g *gate) handler(files *filewatch.Watcher) (http.Handler, error) {
	c := g.config
	upstream := proxy.UpstreamOptions{
		URL: c.Upstream.URL, ServerName: c.Upstream.ServerName, ResponseHeaderTimeout: c.Upstream.ResponseHeaderTimeout,
	}
	if c.Upstream.CAFile != "" {
		pool, err := certfile.OpenPool(g.log, files.Hints(c.Upstream.CAFile), c.Upstream.CAFile)
		if err != nil {
			return nil, fmt.Errorf("--upstream-ca-file: %w", err)
		}
		upstream.Roots = pool.Roots
		g.runs = append(g.runs, pool.Run)
	}
	transport, err := proxy.NewTransport(upstream)
	if err != nil {
		return nil, fmt.Errorf("--upstream: %w", err)
	}
	g.streams, err = proxy.NewStreams(proxy.StreamOptions{
		Authenticator: g.decider, Recheck: c.Recheck, Finish: c.FinishStreams, Log: g.log,
		Ended: func(e proxy.End) { g.metrics.StreamEnded(string(e)) },
	})
	if err != nil {
		return nil, err
	}
	g.runs = append(g.runs, g.streams.Run)
	o := proxyOptions(c)
	o.Authenticator, o.Target, o.Transport = g.decider, transport.Target(), transport
	o.Streams, o.InFlight, o.Log, o.Ledger = g.streams, g.limits.requests, g.log, g.ledger
	if g.tracer != nil {
		o.Tracer, o.Authenticator = tracer{g.tracer}, tracing.Authenticator(g.decider)
		g.runs = append(g.runs, g.tracer.Run)
	}
	h, err := proxy.New(o)
	if err != nil {
		return nil, err
	}
	return g.drain.handler(h), nil
}

// proxyOptions are those that the configuration alone decides.
func proxyOptions(c *config.Config) proxy.Options {
	o := proxy.Options{
		ForwardAuthorization: c.ForwardAuthorization, ForwardOddPaths: c.ForwardOddPaths,
		TrustedPeers: c.TrustedPeers, Headers: proxy.HeaderNames(c.Headers), MaxHeaders: c.Limits.Headers,
		WarnStale: c.StaleTokens == config.WarnTokens, WarnLegacy: c.LegacyTokens == config.WarnTokens,
	}
	for _, r := range c.Routes {
		o.Routes = append(o.Routes, proxy.Route(r))
	}
	return o
}

// bind opens the three listeners.
func (g *gate) bind(data http.Handler) (err error) {
	defer func() {
		if err != nil {
			g.close()
		}
	}()
	if g.data, err = listen("listen", g.config.Listen, data, g.log); err != nil {
		return err
	}
	if g.certificate != nil {
		g.data.secure(g.certificate.GetCertificate)
	}
	g.limits.apply(g.data)
	if g.admin, err = listen("admin-listen", g.config.AdminListen, g.health.Handler(g.metrics.Handler()), g.log); err != nil {
		return err
	}
	g.admin.http.ReadTimeout, g.admin.http.WriteTimeout = adminTimeout, adminTimeout
	g.admin.admit(g.limits.admin)
	g.debug, err = listen("debug-listen", g.config.DebugListen, health.Debug(g.drain.wait, g.level, status.Handler(g.snapshot)), g.log)
	return err
}

// checks says when the gate has started, and when it is ready.
func (g *gate) checks() {
	c := g.config
	g.health.Startup("own token", g.cluster.ready)
	if keys := g.decider.keys; keys != nil {
		g.health.Startup("keys", keys.Err)
	}
	// An API server or issuer that cannot be reached never makes a started gate
	// unready: that would take the whole fleet out at once.
	g.health.Ready("own token", func() error { return g.cluster.expired(c.MaxStale) })
	if g.certificate != nil {
		g.health.Ready("certificate", func() error {
			if end := g.certificate.NotAfter(); time.Now().After(end) {
				return fmt.Errorf("the certificate in %s expired at %s", c.TLS.CertFile, end.UTC().Format(time.RFC3339))
			}
			return nil
		})
	}
}

// run serves until ctx ends, and then drains: not ready for --drain-delay, then
// no new connections, and at most --shutdown-grace for the requests under way.
func (g *gate) run(ctx context.Context) error {
	defer g.close()
	g.announce()
	// What runs beside the listeners must outlive ctx: requests under way still
	// need decisions.
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	group, work := errgroup.WithContext(work)
	for _, run := range g.runs {
		group.Go(func() error { return run(work) })
	}
	for _, s := range g.servers() {
		group.Go(s.serve)
	}
	select {
	case <-ctx.Done():
	case <-work.Done():
		// Something that must not end has ended; Wait says what.
		stop()
		g.close()
		return group.Wait()
	}
	g.drain.wait(work)
	g.log.Info("no new connections; waiting for the requests under way", zap.Duration("at_most", g.config.ShutdownGrace))
	if g.data.stop(g.config.ShutdownGrace) {
		g.streams.GoAway()
		g.log.Warn("requests were still under way after --shutdown-grace, and were cut")
	}
	stop()
	g.close()
	err := group.Wait()
	g.log.Info("stopped")
	return err
}

// announce says in one line what this gate does.
func (g *gate) announce() {
	c := g.config
	for _, w := range c.Warnings {
		g.log.Warn(w)
	}
	g.limits.checkDescriptors()
	tls := "off"
	if g.certificate != nil {
		tls = c.TLS.CertFile
	}
	issuers := c.Issuers
	if len(issuers) == 0 {
		issuers = append(g.cluster.issuers.All(), "(learnt)")
	}
	for _, j := range c.JWT {
		issuers = append(issuers, j.URL)
	}
	v, _ := build()
	g.log.Info("serving",
		zap.String("version", v), zap.String("mode", string(c.Mode)),
		zap.Strings("audiences", c.Audiences), zap.Strings("issuers", issuers),
		zap.String("upstream", c.Upstream.URL.String()), zap.String("tls", tls),
		zap.String("listen", g.data.addr()), zap.String("admin", g.admin.addr()), zap.String("debug", g.debug.addr()))
}

func (g *gate) servers() (all []*server) {
	for _, s := range []*server{g.data, g.admin, g.debug} {
		if s != nil {
			all = append(all, s)
		}
	}
	return all
}

// close ends what is left at once.
func (g *gate) close() {
	for _, s := range g.servers() {
		s.http.Close()
		s.listener.Close()
	}
}

// runGate is what `sallyport serve` does once its configuration is read. The log
// goes to standard error, and nobody waits for it.
func runGate(ctx context.Context, c *config.Config) error {
	// Else a log reader that goes away would take the gate with it: a write to
	// standard error that nobody can read any more ends a Go program.
	signal.Ignore(syscall.SIGPIPE)
	out, err := telemetry.NewQueue(c.LogFormat, os.Stderr)
	if err != nil {
		return err
	}
	defer out.Sync()
	sayMemory := limitMemory(os.DirFS("/"))
	defer paceGarbage()()
	g, err := newGate(c, out)
	if err != nil {
		return err
	}
	// There is one klog in a process, one memory limit, one number of processors.
	telemetry.BridgeKlog(g.log)
	telemetry.BridgeStdLog(g.log)
	sayMemory(g.log)
	g.runs = append(g.runs, forgetStart(g.log))
	if run := governProcessors(g.log); run != nil {
		g.runs = append(g.runs, run)
	}
	return g.run(ctx)
}
