package main

import (
	"time"

	"sallyport/internal/minicluster"
)

// recovery is how soon callers are served again: with a probe at least every 5 s
// and one that may take 3 s, an API server that is back is found within 10 s.
const recovery = 10 * time.Second

// quickKeys shortens what takes minutes by default.
const quickKeys = "file:keyRefresh: {interval: 1s, cooldown: 1s, removalPause: 1s}"

// reviewFaults are the API server's where it is asked about tokens.
func reviewFaults() group {
	// The first to notice waits: 2 s with a token that is known, 8 s at most
	// with a new one.
	waits, decides := 2*time.Second+atOnce, 8*time.Second
	reviews := func(result string) string { return `sallyport_tokenreviews_total{result="` + result + `"}` }
	const away = "the API server is away"
	row := func(name, result string, breaks, mends func(*broken), todo string) fault {
		return fault{name: name, breaks: breaks, mends: mends, overdue: true,
			known: now("200"), new: now("503"), ready: "yes",
			metric: reviews(result), log: away, again: recovery, todo: todo}
	}
	answers := func(name, result string, f minicluster.Fault, todo string) fault {
		return row(name, result, fails(minicluster.All, f), heals, todo)
	}
	const theirs = "look at the API server"
	hangs := answers("hangs", "timeout", minicluster.Fault{Hang: true}, "look at the network between node and control plane, and at webhooks of the API server")
	hangs.known.first, hangs.new.first = waits, decides
	slow := answers("takes 1 s for each answer", "yes", minicluster.Fault{Latency: time.Second}, theirs)
	slow.known, slow.new, slow.log = expect{"200", time.Second + atOnce, time.Second + atOnce}, expect{"200", time.Second + atOnce, time.Second + atOnce}, ""
	lies := answers("says yes, and not for whom", "no", minicluster.Fault{Review: minicluster.LieAudience}, "its authentication webhook does not know audiences: it must name ours")
	lies.known, lies.new, lies.log = now("401"), now("401"), `"reason":"revoked"`
	return group{
		title: "The API server, modes hybrid and tokenreview",
		intro: "The first request to notice may wait; nobody does after it.",
		modes: []string{"hybrid", "tokenreview"},
		args:  []string{"--recheck=1s"},
		rows: []fault{
			row("refuses connections", "network", func(b *broken) { b.server.Stop() }, func(b *broken) { must(b.t, b.server.Start()) }, theirs),
			answers("cuts connections", "network", minicluster.Fault{Down: true}, theirs+", and at what is in between"),
			slow, hangs,
			answers("429 with Retry-After: 3", "throttled", minicluster.Fault{Status: 429, RetryAfter: 3 * time.Second}, "its priority and fairness settings; see what else asks so much"),
			answers("500", "status", minicluster.Fault{Status: 500}, theirs),
			answers("401 to ourselves", "unauthorized", minicluster.Fault{Status: 401}, "our own token: see [tokens.md](tokens.md)"),
			answers("403 to ourselves", "forbidden", minicluster.Fault{Status: 403}, "bind the ClusterRole in `deploy/sidecar.yaml`"),
			answers("answers HTML", "decode", minicluster.Fault{Body: minicluster.Garbage}, "a proxy answers in its place"),
			lies,
			answers("sends half an answer", "network", minicluster.Fault{Body: minicluster.Truncate}, theirs+", and at what is in between"),
			answers("never ends its answer", "decode", minicluster.Fault{Body: minicluster.Oversize}, theirs),
			answers("redirects", "status", minicluster.Fault{Status: 302, Location: "https://192.0.2.1/"}, "a proxy answers in its place"),
			row("has a certificate of an unknown CA", "tls", func(b *broken) {
				must(b.t, b.server.RotateCA())
				b.server.Stop()
				must(b.t, b.server.Start())
			}, func(b *broken) { must(b.t, b.kubelet.RotateNow()) }, "`ca.crt` beside our token must have the CA of its certificate"),
		},
	}
}

// keyFaults are the API server's where it only publishes keys.
func keyFaults() group {
	row := func(name, result string, breaks, mends func(*broken)) fault {
		return fault{name: name, breaks: breaks, mends: mends, noticed: true,
			known: now("200"), new: now("200"), ready: "yes",
			metric: `sallyport_jwks_fetches_total{issuer="cluster",result="` + result + `"}`,
			log:    "cannot fetch the issuer's keys", again: recovery,
			todo: "as above; there is a day for it"}
	}
	answers := func(name, result string, f minicluster.Fault) fault {
		return row(name, result, fails(minicluster.All, f), heals)
	}
	return group{
		title: "The API server, mode oidc",
		intro: "Keys at hand are used for 24 h. A token that is signed with a key that is not gets 503.",
		modes: []string{"oidc"},
		args:  []string{quickKeys},
		rows: []fault{
			row("refuses connections", "network", func(b *broken) { b.server.Stop() }, func(b *broken) { must(b.t, b.server.Start()) }),
			answers("hangs", "timeout", minicluster.Fault{Hang: true}),
			answers("429 with Retry-After: 3", "throttled", minicluster.Fault{Status: 429, RetryAfter: 3 * time.Second}),
			answers("500", "status", minicluster.Fault{Status: 500}),
			answers("401 to ourselves", "unauthorized", minicluster.Fault{Status: 401}),
			answers("403 to ourselves", "forbidden", minicluster.Fault{Status: 403}),
			answers("answers HTML", "decode", minicluster.Fault{Body: minicluster.Garbage}),
			answers("sends half an answer", "network", minicluster.Fault{Body: minicluster.Truncate}),
			answers("never ends its answer", "decode", minicluster.Fault{Body: minicluster.Oversize}),
			row("has a certificate of an unknown CA", "tls", func(b *broken) {
				must(b.t, b.server.RotateCA())
				b.server.Stop()
				must(b.t, b.server.Start())
			}, func(b *broken) { must(b.t, b.kubelet.RotateNow()) }),
		},
	}
}

// birthFaults are the API server's since our start: there is nothing to go on
// with.
func birthFaults() group {
	row := func(name, mode, ready, metric, log string, breaks, mends func(*broken)) fault {
		return fault{name: name + ", mode " + mode, args: []string{"--mode=" + mode}, born: true, breaks: breaks, mends: mends,
			new: now("503"), ready: ready, metric: metric, log: log, again: recovery, todo: "as above"}
	}
	stops, starts := func(b *broken) { b.server.Stop() }, func(b *broken) { must(b.t, b.server.Start()) }
	const (
		fetches = `sallyport_jwks_fetches_total{issuer="cluster",result=`
		keys    = "cannot fetch the issuer's keys"
		refuses = "refuses connections"
	)
	hangs := row("hangs", "hybrid", "no", fetches+`"timeout"}`, keys, fails(minicluster.All, minicluster.Fault{Hang: true}), heals)
	return group{
		title: "The API server, since our start",
		intro: "The gate waits for it, and refuses nobody. `tokenreview` needs no keys, and has started.",
		rows: []fault{
			row(refuses, "hybrid", "no", fetches+`"network"}`, keys, stops, starts),
			row(refuses, "oidc", "no", fetches+`"network"}`, keys, stops, starts),
			row(refuses, "tokenreview", "yes", `sallyport_tokenreviews_total{result="network"}`, "the API server is away", stops, starts),
			hangs,
			row("403 to ourselves", "hybrid", "no", fetches+`"forbidden"}`, keys, fails(minicluster.All, minicluster.Fault{Status: 403}), heals),
		},
	}
}
