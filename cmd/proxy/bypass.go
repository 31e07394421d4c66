package main

import (
	"net"
	"net/netip"
	"slices"
	"strconv"

	"go.uber.org/zap"

	"sallyport/internal/bypass"
	"sallyport/internal/config"
)

// watchBypass has the app looked for at the pod's addresses, or says why not. It
// needs the listeners, as one of ours may answer there.
func (g *gate) watchBypass() {
	c := g.config
	why := noBypassCheck(c)
	if why != "" {
		g.skipBypassCheck(c.PodIPs, why)
		return
	}
	var own []net.Addr
	for _, s := range g.servers() {
		own = append(own, s.listener.Addr())
	}
	app, port := appAddress(c)
	past := bypass.Past(c.PodIPs, port, own)
	if len(past) < len(c.PodIPs) {
		ours := slices.DeleteFunc(slices.Clone(c.PodIPs), func(ip netip.Addr) bool {
			return slices.Contains(past, netip.AddrPortFrom(ip, port))
		})
		g.skipBypassCheck(ours, "a listener of our own has the app's port there")
	}
	if len(past) == 0 {
		return
	}
	g.bypass = bypass.New(bypass.Options{App: app, Past: past, Log: g.log})
	g.runs = append(g.runs, g.bypass.Run)
	if c.BypassCheck == config.BypassFails {
		g.health.Ready("bypass", g.bypass.Err)
	}
}

// appAddress is where the app listens, as host:port.
func appAddress(c *config.Config) (address string, port uint16) {
	address = c.Upstream.Address().Name
	_, digits, _ := net.SplitHostPort(address)
	n, _ := strconv.ParseUint(digits, 10, 16) // config.Load has checked it
	return address, uint16(n)
}

// skipBypassCheck says that nobody looks: aloud where the answer was to decide
// about readiness.
func (g *gate) skipBypassCheck(at []netip.Addr, why string) {
	say := g.log.Info
	if g.config.BypassCheck == config.BypassFails {
		say = g.log.Warn
	}
	say("bypass check skipped", zap.String("why", why), zap.Stringers("at", at))
}

// noBypassCheck says why the configuration lets nobody look, or "".
func noBypassCheck(c *config.Config) string {
	switch {
	case c.BypassCheck == config.BypassOff:
		return "--bypass-check=off"
	case c.Upstream.Address().Network == "unix":
		return "the app listens on a unix socket, which no address leads to"
	case !c.Upstream.Local():
		return "the app is not on loopback: whoever reaches its address gets past the gate"
	case len(c.PodIPs) == 0:
		return "--pod-ips has no address"
	case slices.ContainsFunc(c.PodIPs, func(ip netip.Addr) bool { return slices.Contains(c.HostIPs, ip) }):
		return "the pod's address is its node's (hostNetwork): who answers there may be another pod"
	}
	return ""
}
