package main

import (
	"net/http"
	"time"

	"sallyport/internal/minicluster"
)

// clockFaults are an issuer's clock, 10 minutes ahead of ours or behind.
func clockFaults() group {
	const (
		off  = 10 * time.Minute
		sync = "set the clocks: compare `date` on both"
	)
	row := func(name, status, reason string, by, life time.Duration, todo string) fault {
		f := fault{name: "another issuer's, " + name, before: withIssuer, breaks: shiftsIssuer(by, life), mends: rightsIssuer,
			known: now("200"), new: now(status), ready: "yes", again: atOnce, todo: todo,
			metric: `sallyport_requests_total{code="` + status + `",reason="` + reason + `"}`}
		if status != "200" {
			f.log = `"reason":"` + reason + `"`
		}
		return f
	}
	cluster := func(f fault, by, life time.Duration) fault {
		f.name, f.before, f.breaks = "the API server's"+f.name[len("another issuer's"):], nil, shiftsCluster(by, life)
		f.mends = func(b *broken) { b.issue = func() string { return b.token() } }
		return f
	}
	ahead := row("10 min ahead", "401", "not_yet_valid", off, time.Hour, sync)
	short := row("10 min behind, tokens for 5 min", "401", "expired", -off, 5*time.Minute, sync)
	long := row("10 min behind, tokens for 1 h", "200", "ok", -off, time.Hour, "set the clocks: these tokens end 10 min early")
	return group{
		title: "Clocks",
		intro: "An issuer's clock is not ours. `--leeway` (60 s) is granted. HTTP's `Date` does not matter.",
		args:  []string{quickKeys},
		rows: []fault{
			cluster(ahead, off, time.Hour), cluster(short, -off, 5*time.Minute), cluster(long, -off, time.Hour),
			ahead, short, long,
		},
	}
}

// shiftsIssuer moves the other issuer's clock, and the Date header of its keys
// with it: nothing of ours may look at that.
func shiftsIssuer(by, life time.Duration) func(*broken) {
	return func(b *broken) {
		b.idp.keys.handler.Store(&handler{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Date", time.Now().Add(by).UTC().Format(http.TimeFormat))
			b.idp.ServeHTTP(w, r)
		})})
		b.issue = func() string {
			at := time.Now().Add(by)
			return b.idp.token(b.t, map[string]any{"iat": at.Unix(), "nbf": at.Unix(), "exp": at.Add(life).Unix()})
		}
	}
}

func rightsIssuer(b *broken) {
	b.idp.publish(nil)
	b.issue = func() string { return b.idp.token(b.t, nil) }
}

// shiftsCluster moves the clock by which the API server issues tokens.
func shiftsCluster(by, life time.Duration) func(*broken) {
	return func(b *broken) {
		b.issue = func() string {
			claims, err := b.cluster.Claims(minicluster.Request{Namespace: "ns", ServiceAccount: "caller", Pod: "caller-0", Audiences: []string{audience}})
			must(b.t, err)
			at := time.Now().Add(by)
			claims["iat"], claims["nbf"], claims["exp"] = at.Unix(), at.Unix(), at.Add(life).Unix()
			token, err := b.cluster.Sign(nil, claims)
			must(b.t, err)
			return token
		}
	}
}
