package main

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"sallyport/internal/callers"
	"sallyport/internal/proxy"
	"sallyport/internal/status"
	"sallyport/internal/telemetry"
	"sallyport/internal/tokenfile"
)

const (
	// soon is how long before its end a certificate is something to look at: a day
	// is enough to do it in working hours.
	soon = 24 * time.Hour
	// keysLate is how old keys may be: six of the default intervals. They are used
	// for 24 h.
	keysLate = 30 * time.Minute
	// flagged is how long a caller is shown to be one to look at: as long as the page
	// shows decisions, and several times what a client takes to read its file again.
	flagged = 15 * time.Minute
)

// snapshot is what the status page shows.
func (g *gate) snapshot() *status.Snapshot {
	g.ledger.Settle()
	v, _ := build()
	s := &status.Snapshot{
		Now: time.Now(), Version: v, Mode: string(g.config.Mode),
		Decisions: g.decisions(), Recent: g.recent.Slots(),
		Issuers: []status.Issuer{}, Callers: []status.Caller{}, // no null in the JSON
		Refusals: status.Refused{ByReason: g.reasons(), Last: g.recent.Refusals()},
		Streams:  g.streams.Open(), InFlight: g.limits.data.Requests(), Connections: g.limits.data.Open(),
	}
	if token := g.cluster.token; token != nil {
		s.OwnToken = shownToken(token.Status())
	}
	for _, k := range g.sets() {
		i := status.Issuer{Name: k.Issuer, Fetched: k.Fetched, Problem: k.Err, Keys: []status.Key{}}
		for _, key := range k.Keys {
			i.Keys = append(i.Keys, status.Key{ID: key.ID, Algorithm: key.Algorithm, Since: key.Since, Leaving: !key.Missing.IsZero()})
		}
		s.Issuers = append(s.Issuers, i)
	}
	if r := g.decider.reviews; r != nil {
		since, why := r.Away()
		s.APIServer = &status.APIServer{AwaySince: since, Why: why}
	}
	for _, c := range g.callers.List() {
		s.Callers = append(s.Callers, status.Caller{
			Subject: c.Subject, Requests: c.Requests, Refusals: c.Refusals,
			Issued: c.Token.Issued, Expires: c.Token.Expires, Seen: c.Seen, Flags: flags(&c, s.Now),
		})
	}
	s.State, s.Says = g.judge(s)
	return s
}

func shownToken(t tokenfile.Status) *status.OwnToken {
	o := &status.OwnToken{
		State: string(t.State), Issued: t.Issued, Expires: t.Expires, Rotate: t.Renewal,
		Loaded: append([]time.Time{}, t.Past...), Rotations: t.Rotations, Problem: t.LastError,
	}
	if !t.Loaded.IsZero() {
		o.Loaded = append(o.Loaded, t.Loaded)
	}
	return o
}

// flags are what to look at about the tokens that a caller came with of late.
func flags(c *callers.Caller, now time.Time) (words []string) {
	for _, f := range []struct {
		word string
		at   time.Time
	}{{"late", c.LateAt}, {"legacy", c.LegacyAt}, {"stale", c.StaleAt}} {
		if !f.at.IsZero() && now.Sub(f.at) < flagged {
			words = append(words, f.word)
		}
	}
	return words
}

// judge says in a word and a sentence how the gate does.
func (g *gate) judge(s *status.Snapshot) (status.State, string) {
	if p := g.health.Problems(); len(p) > 0 {
		return status.Down, strings.Join(p, "; ")
	}
	var look []string
	if a := s.APIServer; a != nil && !a.AwaySince.IsZero() {
		look = append(look, "the API server gives no answer: callers that it confirmed go on, new ones get 503")
	}
	if t := s.OwnToken; t != nil && t.State != string(tokenfile.Fresh) {
		look = append(look, "our own token is "+t.State)
	}
	for _, i := range s.Issuers {
		if s.Now.Sub(i.Fetched) > max(keysLate, 2*g.config.KeyRefresh.Interval) {
			look = append(look, "the keys of "+i.Name+" cannot be fetched")
		}
	}
	if c := g.certificate; c != nil && c.NotAfter().Sub(s.Now) < soon {
		look = append(look, "the certificate expires in less than a day")
	}
	if g.bypass != nil {
		if found, _ := g.bypass.State(); found {
			look = append(look, "the app answers past the gate")
		}
	}
	if len(look) > 0 {
		return status.Degraded, strings.Join(look, "; ")
	}
	return status.Ready, "It decides about every token."
}

func (g *gate) decisions() status.Counts {
	n := g.metrics.Decisions()
	return status.Counts{Accepted: n[telemetry.Accepted], Refused: n[telemetry.Refused], Unavailable: n[telemetry.Unavailable]}
}

// reasons are those of requests that were not let through, the most frequent first.
func (g *gate) reasons() []status.ReasonCount {
	all := []status.ReasonCount{}
	for r, n := range g.metrics.Refusals() {
		all = append(all, status.ReasonCount{Reason: string(r), Count: n})
	}
	slices.SortFunc(all, func(a, b status.ReasonCount) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Reason, b.Reason))
	})
	return all
}

func refusal(d *proxy.Done) status.Refusal {
	e := d.Explain()
	return status.Refusal{
		At: time.Now(), Code: d.Code, Reason: string(d.Reason), Subject: d.Subject, Peer: e.Peer, Path: e.Path, Detail: e.Detail,
	}
}
