package browser

import (
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sallyport/internal/status"
)

// A gate serves the page of whatever snapshot it is given.
type gate struct {
	t        *testing.T
	snapshot atomic.Pointer[status.Snapshot]
	address  string
	server   *http.Server
}

func newGate(t *testing.T, s *status.Snapshot) *gate {
	t.Helper()
	g := &gate{t: t, address: "127.0.0.1:0"}
	g.snapshot.Store(s)
	g.start()
	t.Cleanup(g.stop)
	return g
}

// start serves, where it served before if it did.
func (g *gate) start() {
	g.t.Helper()
	l, err := net.Listen("tcp", g.address)
	if err != nil {
		g.t.Fatal(err)
	}
	g.address = l.Addr().String()
	g.server = &http.Server{Handler: status.Handler(g.snapshot.Load), ReadHeaderTimeout: atOnce}
	go g.server.Serve(l)
}

// stop cuts everybody off.
func (g *gate) stop() { g.server.Close() }

func (g *gate) url() string { return "http://" + g.address + "/" }

// change shows a copy of the snapshot with something else in it.
func (g *gate) change(f func(*status.Snapshot)) {
	s := *g.snapshot.Load()
	f(&s)
	g.snapshot.Store(&s)
}

// markup runs, and complains, where it is taken for what it is.
const markup = `<img src=x onerror="throw 1"></script><script>throw 2</script>"'&`

// states are what a page may have to show, by name.
func states() map[string]*status.Snapshot {
	return map[string]*status.Snapshot{
		"busy": busy(), "degraded": degraded(), "down": down(),
		"empty": {Now: time.Now(), State: status.Ready, Says: "It decides about every token.", Mode: "oidc", Version: "v1.0.0"},
		"nasty": nasty(),
	}
}

// busy is a gate of which all is well, with years of work behind it.
func busy() *status.Snapshot {
	now := time.Now()
	s := &status.Snapshot{
		Now: now, Version: "v1.0.0", Mode: "hybrid", State: status.Ready, Says: "It decides about every token.",
		OwnToken: &status.OwnToken{
			State: "fresh", Issued: now.Add(-20 * time.Minute), Rotate: now.Add(28 * time.Minute), Expires: now.Add(40 * time.Minute),
			Loaded: []time.Time{now.Add(-116 * time.Minute), now.Add(-68 * time.Minute), now.Add(-20 * time.Minute)}, Rotations: 1204,
		},
		Issuers: []status.Issuer{
			{Name: "https://kubernetes.default.svc.cluster.local", Fetched: now.Add(-time.Minute), Keys: []status.Key{
				{ID: "Vf0nDkBq3mXb7sR2cYt8wL5pJ1zKh6uQe9aGx4iTo0M", Algorithm: "RS256", Since: now.Add(-40 * 24 * time.Hour), Leaving: true},
				{ID: "b8Zr1yTq5vNc0sLk7dWm3xPj9fGh2uAe6iOo4KtRw_Q", Algorithm: "RS256", Since: now.Add(-2 * time.Hour)},
			}},
			{Name: "https://login.example.com/realms/people", Fetched: now.Add(-3 * time.Minute), Keys: []status.Key{{ID: "2026-11", Algorithm: "ES256", Since: now.Add(-9 * time.Hour)}}},
		},
		APIServer: &status.APIServer{},
		Decisions: status.Counts{Accepted: 18_446_744_073, Refused: 91_223, Unavailable: 310},
		Streams:   212, InFlight: 37, Connections: 1450,
	}
	for i := range 30 {
		s.Recent = append(s.Recent, status.Slot{From: now.Add(time.Duration(i-29) * 30 * time.Second), Counts: status.Counts{
			Accepted: uint64(4000 + 900*(i%7)), Refused: uint64(20 * (i % 5)), Unavailable: uint64(i % 11 / 9 * 700),
		}})
	}
	for i, reason := range []string{"expired", "audience", "missing", "signature", "revoked", "legacy", "unknown_key"} {
		s.Refusals.ByReason = append(s.Refusals.ByReason, status.ReasonCount{Reason: reason, Count: uint64(9000 >> i)})
		s.Refusals.Last = append(s.Refusals.Last, status.Refusal{
			At: now.Add(-time.Duration(i) * time.Minute), Code: 401, Reason: reason, Peer: "2001:db8:1234:5678:9abc:def0:1234:5678",
			Subject: "system:serviceaccount:shop-of-the-north:checkout-with-a-long-name", Path: "/api/v1/orders/" + strings.Repeat("2026", 12),
			Detail: "expired 4 m 12 s ago, at 2026-11-24T11:55:48Z",
		})
		s.Callers = append(s.Callers, status.Caller{
			Subject: "system:serviceaccount:shop-of-the-north:" + reason, Requests: 1_000_000 >> i, Refusals: uint64(i),
			Issued: now.Add(-time.Duration(i) * 11 * time.Minute), Expires: now.Add(time.Hour), Seen: now.Add(-time.Duration(i) * time.Second),
		})
	}
	s.Callers[1].Flags, s.Callers[4].Flags = []string{"late"}, []string{"legacy", "stale"}
	return s
}

func degraded() *status.Snapshot {
	s := busy()
	s.State, s.Says = status.Degraded, "the API server gives no answer: callers that it confirmed go on, new ones get 503; our own token is late"
	s.APIServer = &status.APIServer{AwaySince: s.Now.Add(-95 * time.Second), Why: `no review from the API server (network): Post "https://10.96.0.1:443/apis/authentication.k8s.io/v1/tokenreviews": connect: connection refused`}
	s.OwnToken.State, s.OwnToken.Rotate, s.OwnToken.Expires = "late", s.Now.Add(-2*time.Minute), s.Now.Add(10*time.Minute)
	s.OwnToken.Problem = "the kubelet has not replaced it"
	s.Issuers[1].Problem = "503 Service Unavailable from https://login.example.com/realms/people/protocol/openid-connect/certs"
	return s
}

func down() *status.Snapshot {
	s := &status.Snapshot{Now: time.Now(), Version: "v1.0.0", Mode: "hybrid", State: status.Down, Says: "no signing keys yet: 403 Forbidden from /openid/v1/jwks"}
	s.OwnToken = &status.OwnToken{Problem: "open /var/run/secrets/sallyport/token: no such file or directory"}
	s.Issuers = []status.Issuer{{Name: "https://kubernetes.default.svc.cluster.local", Problem: "403 Forbidden: grant it get on /openid/v1/jwks"}}
	s.APIServer = &status.APIServer{}
	return s
}

// nasty has markup, without a place to break it, in all that others write.
func nasty() *status.Snapshot {
	s := degraded()
	s.Says, s.APIServer.Why, s.OwnToken.Problem = markup, markup, markup
	r := &s.Refusals.Last[0]
	r.Subject, r.Path, r.Detail = markup, "/"+strings.Repeat("a", 500), markup
	s.Callers[0].Subject = markup + strings.Repeat("b", 300)
	s.Callers[1].Flags = []string{markup}
	s.Issuers[0].Name, s.Issuers[0].Keys[0].ID, s.Issuers[1].Problem = markup, strings.Repeat("c", 300), markup
	return s
}
