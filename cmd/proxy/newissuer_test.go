package main

import (
	"fmt"
	"strings"
	"testing"

	"sallyport/internal/minicluster"
)

const newIssuer = "https://new.example"

// from is a token of the caller's that claims to be from an issuer, signed with
// the cluster's own key.
func (w *world) from(issuer string) string {
	w.t.Helper()
	claims, err := w.cluster.Claims(minicluster.Request{Namespace: "ns", ServiceAccount: "caller", Pod: "caller-0", Audiences: []string{audience}})
	must(w.t, err)
	claims["iss"] = issuer
	token, err := w.cluster.Sign(nil, claims)
	must(w.t, err)
	return token
}

// readOnce waits for what every gate reads at its start, in mode tokenreview in
// the background, and returns how often the document was read so far.
func (w *world) readOnce(before int) int {
	w.t.Helper()
	w.eventually("read at start", func() bool { return w.cluster.Counts().Discovery > before })
	return before + 1
}

func (w *world) wantReason(code int, reason, token string) {
	w.t.Helper()
	series := fmt.Sprintf("reason=%q", reason)
	before := w.decisions(series)
	w.want(code, token)
	if w.decisions(series) == before {
		w.t.Errorf("not for the reason %s", reason)
	}
}

// decisions returns the lines of the decision counter that contain text.
func (w *world) decisions(text string) (found string) {
	_, metrics := w.admin("/metrics")
	for line := range strings.Lines(metrics) {
		if strings.HasPrefix(line, "sallyport_decisions_total{") && strings.Contains(line, text) {
			found += line
		}
	}
	return found
}

// The API server is restarted with a new first issuer, and accepts the former
// one beside it; later it no longer does.
func TestNewFirstIssuer(t *testing.T) {
	t.Parallel()
	for _, mode := range modes {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			w := start(t, "--mode="+mode, "--recheck=1s")
			old, unseen := w.token(), w.token()
			w.want(200, old)
			before := w.readOnce(0)
			w.cluster.SetIssuers(newIssuer, minicluster.DefaultIssuer)
			w.want(200, w.token()) // the first that anybody sees
			w.want(200, old)
			w.want(200, unseen)
			if n := w.cluster.Counts().Discovery - before; n > 1 {
				t.Errorf("the discovery document was read %d times, want once", n)
			}
			w.wantReason(401, "issuer", w.from("https://stranger.example"))

			must(t, w.kubelet.RotateNow())
			w.eventually("rotated", func() bool { return w.metric("sallyport_own_token_rotations_total") == "1" })
			w.cluster.SetIssuers(newIssuer)
			if mode == "oidc" { // nobody asks the API server
				w.want(200, old)
				w.want(200, w.from(minicluster.DefaultIssuer))
			} else {
				w.eventually("refused", func() bool { return w.get(old).code == 401 })
				w.wantReason(401, "revoked", w.from(minicluster.DefaultIssuer))
			}
			w.want(200, w.token())
			w.noTokenIn(w.log.String())
		})
	}
}

// A gate that starts after the change knows the former issuer too, though the
// discovery document and its own token's iss name the new one alone.
func TestFormerIssuer(t *testing.T) {
	t.Parallel()
	for _, mode := range modes {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			w := start(t, "--mode="+mode)
			old := w.token()
			before := w.readOnce(0)
			w.cluster.SetIssuers(newIssuer, minicluster.DefaultIssuer)
			must(t, w.kubelet.RotateNow())
			must(t, w.stop())
			restart := func(args ...string) { w.serve(t.TempDir(), append(args, "--mode="+mode)) }
			restart()
			before = w.readOnce(before)
			w.want(200, old)
			w.want(200, w.token())
			w.wantReason(401, "issuer", w.from("https://stranger.example"))
			if n := w.cluster.Counts().Discovery - before; n > 1 {
				t.Errorf("the discovery document was read %d times, want once, for the stranger", n)
			}
			must(t, w.stop())
			restart("--issuer=" + newIssuer) // then no other counts
			w.wantReason(401, "issuer", old)
			w.want(200, w.token())
			must(t, w.stop())
			restart("--issuer="+newIssuer, "--issuer="+minicluster.DefaultIssuer)
			w.want(200, old)
		})
	}
}

// An audience that an operator names is no issuer.
func TestNamedAudienceIsNoIssuer(t *testing.T) {
	t.Parallel()
	for _, mode := range modes {
		w := start(t, "--mode="+mode, "--api-audience=https://vault.example")
		w.wantReason(401, "issuer", w.from("https://vault.example"))
	}
}

// Whatever strangers claim to be from, the API server hears of it once a
// cool-down.
func TestUnknownIssuerFlood(t *testing.T) {
	t.Parallel()
	for _, mode := range modes {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			w := start(t, "--mode="+mode, "--recheck=1h") // nobody is rechecked meanwhile
			known := w.token()
			w.want(200, known)
			w.readOnce(0)
			before := w.cluster.Counts()
			for i := range 100 {
				w.want(401, w.from(fmt.Sprintf("https://stranger-%d.example", i)))
			}
			w.want(200, known)
			after := w.cluster.Counts()
			if n := after.Discovery - before.Discovery; n > 1 || after.Reviews != before.Reviews || after.Keys != before.Keys {
				t.Errorf("discovery was asked for %d times, want once; keys %d, reviews %d", n, after.Keys-before.Keys, after.Reviews-before.Reviews)
			}
		})
	}
}

// While nobody can say whether an issuer is the cluster's, it is not said that it
// is not; and where the API server decides, it is asked.
func TestUnknownIssuerWithoutDiscovery(t *testing.T) {
	t.Parallel()
	type outcome struct {
		code   int
		reason string
	}
	for name, tc := range map[string]struct {
		fault                     minicluster.Fault
		hybrid, oidc, tokenreview outcome
	}{
		"broken":     {minicluster.Fault{Status: 500}, outcome{503, "keys_unavailable"}, outcome{503, "keys_unavailable"}, outcome{401, "revoked"}},
		"forbidden":  {minicluster.Fault{Status: 403}, outcome{503, "keys_unavailable"}, outcome{503, "keys_unavailable"}, outcome{401, "revoked"}},
		"not served": {minicluster.Fault{Status: 404}, outcome{401, "issuer"}, outcome{401, "issuer"}, outcome{401, "revoked"}},
	} {
		for mode, want := range map[string]outcome{"hybrid": tc.hybrid, "oidc": tc.oidc, "tokenreview": tc.tokenreview} {
			t.Run(name+" "+mode, func(t *testing.T) {
				t.Parallel()
				w := start(t, "--mode="+mode)
				w.want(200, w.token())
				w.cluster.Fail(minicluster.Discovery, tc.fault)
				w.wantReason(want.code, want.reason, w.from("https://stranger.example"))
				w.want(200, w.token())
				w.cluster.SetIssuers(newIssuer, minicluster.DefaultIssuer)
				fresh := w.token()
				if mode == "tokenreview" {
					w.want(200, fresh)
				} else {
					w.wantReason(want.code, want.reason, fresh)
				}
				if name != "not served" {
					w.cluster.Heal()
					w.eventually("known", func() bool { return w.get(fresh).code == 200 })
				}
			})
		}
	}
}

func TestNamedIssuersAreAll(t *testing.T) {
	t.Parallel()
	for _, mode := range modes {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			w := start(t, "--mode="+mode, "--issuer="+minicluster.DefaultIssuer)
			w.want(200, w.token())
			w.cluster.SetIssuers(newIssuer, minicluster.DefaultIssuer)
			w.wantReason(401, "issuer", w.token())
			if n := w.cluster.Counts().Discovery; n != 0 {
				t.Errorf("the discovery document was read %d times", n)
			}
		})
	}
}
