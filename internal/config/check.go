package config

import "slices"

// check looks at what no setting can know alone. What did not parse is not
// looked at twice.
func (l *loader) check() {
	l.checkAudience()
	l.checkTLS()
	l.checkListeners()
	l.checkUpstream()
	l.checkModes()
	l.checkLegacy()
	l.checkIssuers()
	l.checkPeers()
	l.checkLimits()
	l.checkTraces()
	l.config.TokenFileSet = l.written("token-file")
}

func (l *loader) checkAudience() {
	c := l.config
	if len(c.Audiences) == 0 && !l.bad["audience"] {
		l.fail(l.at("audience"), "there is none, and without one a token made for any other service would be let in here, "+
			"and the one that is sent here could be used elsewhere: write a name for this service, "+
			"like --audience orders.shop.svc, and have callers ask for tokens with it")
	}
	for _, a := range c.Audiences {
		if slices.Contains(c.APIAudiences, a) || slices.Contains(c.Issuers, a) {
			l.warn(l.at("audience"), "%s is the API server's audience too: the app, and whoever else gets such a token, can use it as the caller at the API server", a)
		}
	}
}

func (l *loader) checkTLS() {
	c := l.config
	cert, key := l.written("tls-cert-file"), l.written("tls-key-file")
	switch {
	case cert && !key:
		l.fail(l.at("tls-cert-file"), "there is no key for it: write --tls-key-file too")
	case key && !cert:
		l.fail(l.at("tls-key-file"), "there is no certificate for it: write --tls-cert-file too")
	case cert && c.TLS.Off:
		l.fail(l.at("tls"), "it is off, and yet there is a certificate: write --tls=auto, or take the certificate away")
	case !cert && !c.TLS.Off && !c.Listen.Local() && !l.bad["listen"] && !l.bad["tls"]:
		l.fail(l.at("listen"), "%s is reached from other machines, and without a certificate callers' tokens would come in clear: write one of\n"+
			"    --tls-cert-file FILE --tls-key-file FILE\n"+
			"    --listen 127.0.0.1:8443, or --listen unix:///path\n"+
			"    --tls=off, if something in front of this pod encrypts all the way to it", c.Listen)
	case c.TLS.Off && !c.Listen.Local():
		l.warn(l.at("tls"), "it is off: callers' tokens come in clear to %s, and whoever can listen on the way can use them", c.Listen)
	}
}

func (l *loader) checkListeners() {
	c := l.config
	if !c.DebugListen.Local() && !l.bad["debug-listen"] {
		l.fail(l.at("debug-listen"), "%s is reached from other machines, and whoever reaches it can take this pod out of service: "+
			"write 127.0.0.1:9902, or unix:///path", c.DebugListen)
	}
	if c.AdminListen.Network == "unix" {
		l.fail(l.at("admin-listen"), "neither probes nor a metrics scraper can reach a unix socket: write host:port, like :9901")
	}
	all := l.listeners()
	for i, b := range all {
		for _, a := range all[:i] {
			if a.at.collides(b.at) {
				l.fail(l.at(b.flag), "%s is where --%s is already (%s): write another port or path", b.at, a.flag, a.at)
			}
		}
	}
}

// A listener is a flag and its address.
type listener struct {
	flag string
	at   Address
}

func (l *loader) listeners() []listener {
	c := l.config
	return []listener{{"listen", c.Listen}, {"admin-listen", c.AdminListen}, {"debug-listen", c.DebugListen}}
}

func (l *loader) checkUpstream() {
	u := l.config.Upstream
	if u.URL.Scheme != "https" {
		for _, flag := range []string{"upstream-ca-file", "upstream-server-name"} {
			if l.written(flag) {
				l.fail(l.at(flag), "the app's scheme is %s, which has no certificate: write --upstream https://..., or take this away", u.URL.Scheme)
			}
		}
	}
	for _, own := range l.listeners() {
		if u.Local() && u.Address().collides(own.at) {
			l.fail(l.at("upstream"), "%s is our own --%s (%s), not the app: write where the app listens", u.URL, own.flag, own.at)
		}
	}
	if !u.Local() && u.URL.Scheme != "https" {
		l.warn(l.at("upstream"), "%s is on another machine and not encrypted: whoever reaches it without sallyport can send identity headers of their own", u.URL)
	}
}

func (l *loader) checkModes() {
	c := l.config
	if c.WhenUnavailable != ServeVerified {
		return
	}
	switch c.Mode {
	case Hybrid:
		l.warn(l.at("when-unavailable"), "while the API server is away, a token that was revoked is good until it expires")
	case TokenReview:
		l.fail(l.at("when-unavailable"), "in mode tokenreview nothing is verified here, so nothing could be served: write serve-confirmed or fail, or --mode hybrid")
	}
}

// checkLegacy: such a token names no audience, and the API server takes it for one
// with all of its own. Only it can tell whether the Secret is still there.
func (l *loader) checkLegacy() {
	c := l.config
	if c.LegacyTokens == RefuseTokens || l.bad["legacy-tokens"] {
		return
	}
	if c.Mode == OIDC {
		l.fail(l.at("legacy-tokens"), "in mode oidc nobody asks the API server, and it alone knows whether a Secret's token still counts: write --mode hybrid, or refuse")
	}
	api := slices.Concat(c.APIAudiences, c.Issuers)
	if !slices.ContainsFunc(c.Audiences, func(a string) bool { return slices.Contains(api, a) }) {
		l.fail(l.at("legacy-tokens"), "a Secret's token is for the API server's audiences alone, and none of ours is known to be one: "+
			"write one of them both as --audience and as --api-audience, or refuse")
	}
}

// checkIssuers keeps the cluster's issuers and the others apart: the same iss in
// both would give two sets of keys the same word.
func (l *loader) checkIssuers() {
	for i, j := range l.config.JWT {
		if slices.Contains(l.config.Issuers, j.URL) {
			l.fail(l.jwtWhere[i], "issuer.url %s is one of the cluster's (%s): write it in one place", j.URL, l.at("issuer"))
		}
	}
}

func (l *loader) checkPeers() {
	for _, p := range l.config.TrustedPeers {
		// The widest networks that anybody owns, 10.0.0.0/8 and fc00::/7, are
		// narrower than what is warned of.
		if p.Bits() < 7 {
			l.warn(l.at("trusted-peers"), "%s is nearly everybody: any caller can choose the address that the app sees", p)
		}
	}
}
