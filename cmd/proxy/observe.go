package main

import (
	"io"
	"time"

	"sallyport/internal/authn"
	"sallyport/internal/authn/oidc"
	"sallyport/internal/callers"
	"sallyport/internal/config"
	"sallyport/internal/connlimit"
	"sallyport/internal/inflight"
	"sallyport/internal/proxy"
	"sallyport/internal/status"
	"sallyport/internal/telemetry"
	"sallyport/internal/tokenfile"
)

// shownCallers is how many callers are known where no metrics are asked for:
// enough to see who calls. Each takes half a KiB.
const shownCallers = 256

// telemetry says what the metrics show. What is made later is asked for later.
func (g *gate) telemetry(log io.Writer) telemetry.Options {
	v, _ := build()
	o := telemetry.Options{Version: v, RequestKinds: inflight.Kinds[:], Keys: g.keySets, State: telemetry.State{
		InFlight:       g.limits.data.Requests,
		CacheEntries:   func() int { return g.decider.Len() },
		CacheEvictions: func() uint64 { return g.decider.Evictions() },
		Connections:    g.limits.data.Open,
		Streams:        func() int { return g.streams.Open() },
	}}
	o.Settle = func() { g.ledger.Settle() }
	if q, ok := log.(*telemetry.Queue); ok {
		o.State.LogDropped = q.Dropped
	}
	if g.config.Mode != config.OIDC {
		o.State.Away = func() time.Time { since, _ := g.decider.reviews.Away(); return since }
	}
	if g.config.TLS.CertFile != "" {
		o.State.CertificateEnd = func() time.Time { return g.certificate.NotAfter() }
	}
	for _, c := range connlimit.Causes {
		o.ConnectionCauses = append(o.ConnectionCauses, string(c))
	}
	for _, j := range g.config.JWT {
		o.Issuers = append(o.Issuers, j.URL)
	}
	for _, r := range g.config.Routes {
		o.Routes = append(o.Routes, r.Path)
	}
	if token := g.cluster.token; token != nil {
		o.OwnToken = func() telemetry.TokenState { return ownToken(token.Status()) }
	}
	if g.config.CallerMetrics > 0 {
		o.Callers = g.callerMetrics
	}
	if c := g.config; c.BypassCheck != config.BypassOff {
		o.Bypass = func() (found, known bool) {
			if g.bypass == nil {
				return false, false
			}
			return g.bypass.State()
		}
	}
	return o
}

func ownToken(s tokenfile.Status) telemetry.TokenState {
	return telemetry.TokenState{
		Expires: s.Expires, Loaded: s.Loaded, Late: s.State == tokenfile.Late || s.State == tokenfile.Expired,
		Rotations: s.Rotations, ReadErrors: s.ReadErrors,
	}
}

// sets are all key sets: the cluster's, where there is one, and the other issuers'.
func (g *gate) sets() (all []oidc.State) {
	for _, s := range g.decider.sets {
		all = append(all, s.State())
	}
	return all
}

func (g *gate) keySets() (all []telemetry.Keys) {
	for _, s := range g.sets() {
		all = append(all, telemetry.Keys{Issuer: s.Issuer, Count: len(s.Keys), Fetched: s.Fetched})
	}
	return all
}

func (g *gate) callerMetrics() (all []telemetry.Caller) {
	for _, c := range g.callers.List() {
		all = append(all, telemetry.Caller{
			Subject: c.Subject, Requests: c.Requests, Refusals: c.Refusals,
			Stale: c.Stale, Legacy: c.Legacy, Late: c.Late, LongestLife: c.LongestLife,
		})
	}
	return all
}

// observer counts requests that are over.
type observer struct {
	metrics *telemetry.Metrics
	callers *callers.Callers
	recent  *status.Recent
}

// Ended implements [proxy.Observer].
func (o observer) Ended(d *proxy.Done) {
	o.metrics.Request(d.Code, d.Reason, d.Route)
	switch {
	case d.Reason == authn.OK || d.Reason == authn.Public:
		if !d.Stream {
			o.metrics.RequestTook(d.Took)
		}
		if d.Token != nil {
			o.callers.LetThrough(d.Subject, d.Token, d.End)
		}
	case d.Refused:
		o.callers.Refuse(d.Subject, d.Reason, d.End)
	}
	if d.Explain != nil {
		o.recent.Refuse(refusal(d))
	}
}
