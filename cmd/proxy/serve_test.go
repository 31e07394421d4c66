package main

import (
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"sallyport/internal/minicluster"
)

// modes are the three, with the flags that make a test quick.
var modes = []string{"hybrid", "oidc", "tokenreview"}

func TestModes(t *testing.T) {
	for _, mode := range modes {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			w := start(t, "--mode="+mode)
			a := w.get(w.token())
			if a.code != http.StatusOK {
				t.Fatalf("a good token: %d %s\n%s", a.code, a.body, w.log)
			}
			for _, want := range []string{"system:serviceaccount:ns:caller", "system:serviceaccounts:ns", "caller-0", "JTI="} {
				if !strings.Contains(a.body, want) {
					t.Errorf("the app did not see %s: %s", want, a.body)
				}
			}
			if strings.Contains(a.body, w.token()[:40]) {
				t.Error("the app saw the token")
			}
			w.refusals()
			w.noTokenIn(w.log.String())
		})
	}
}

// refusals tries what every mode refuses, and why.
func (w *world) refusals() {
	w.t.Helper()
	stranger, err := minicluster.New(minicluster.Options{Keys: minicluster.SharedKeys(1, 1)})
	must(w.t, err)
	stranger.CreateServiceAccount("ns", "caller")
	stranger.CreatePod("ns", "caller-0", "caller", "")
	forged, err := stranger.Token(minicluster.Request{Namespace: "ns", ServiceAccount: "caller", Pod: "caller-0", Audiences: []string{audience}})
	must(w.t, err)
	expired, err := w.cluster.Token(minicluster.Request{Namespace: "ns", ServiceAccount: "caller", Pod: "caller-0", Audiences: []string{audience}, TTL: -2 * time.Minute})
	must(w.t, err)
	legacy, err := w.cluster.CreateSecretToken("ns", "old", "caller")
	must(w.t, err)
	for _, tc := range []struct {
		name, token string
		code        int
		challenge   string
	}{
		{"no token", "", 401, `Bearer realm="sallyport"`},
		{"another audience", w.token("other"), 401, "for another audience"},
		{"the API server's audience", w.token(minicluster.DefaultIssuer), 401, "invalid_token"},
		{"ours and the API server's", w.token(audience, minicluster.DefaultIssuer), 401, "for the API server"},
		{"forged", forged, 401, "invalid_token"},
		{"expired", expired, 401, "expired"},
		{"legacy", legacy, 401, "never expires"},
		{"no JWT", "abc", 401, "invalid_token"},
		{"two tokens", "abc def", 400, "invalid_request"},
	} {
		a := w.get(tc.token)
		if got := a.header.Get("WWW-Authenticate"); a.code != tc.code || !strings.Contains(got, tc.challenge) {
			w.t.Errorf("%s: %d %q, want %d %q", tc.name, a.code, got, tc.code, tc.challenge)
		}
		if a.seen != nil {
			w.t.Errorf("%s: the app was reached", tc.name)
		}
	}
}

// noTokenIn looks for anything that could be part of a token.
func (w *world) noTokenIn(text string) {
	w.t.Helper()
	if i := strings.Index(text, "eyJ"); i >= 0 {
		w.t.Errorf("a token, or part of one: %.80s", text[i:])
	}
}

func TestReviewsPerToken(t *testing.T) {
	t.Parallel()
	w := start(t, "--recheck=1h") // the first recheck comes after 6 min
	token := w.token()
	before := w.cluster.Counts().Reviews
	for range 50 {
		w.want(200, token)
	}
	if n := w.cluster.Counts().Reviews - before; n != 1 {
		t.Errorf("50 requests with one token caused %d reviews, want 1", n)
	}
	for i := range 50 {
		w.want(401, strings.Repeat("x", i)+".y.z")
	}
	if n := w.cluster.Counts().Reviews - before; n != 1 {
		t.Errorf("garbage caused %d reviews in hybrid, want none", n-1)
	}
}

func TestRevoked(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"hybrid", "tokenreview"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			w := start(t, "--mode="+mode, "--recheck=1s")
			token := w.token()
			w.want(200, token)
			w.cluster.DeletePod("ns", "caller-0", 0)
			deleted := time.Now()
			w.eventually("refused", func() bool { return w.get(token).code == 401 })
			if took := time.Since(deleted); took > time.Second+atOnce {
				t.Errorf("a deleted pod was served for %v with a recheck of 1 s", took)
			}
		})
	}
}

func TestAPIServerDown(t *testing.T) {
	t.Parallel()
	w := start(t, "--recheck=1s")
	known := w.token()
	w.want(200, known)
	w.server.Stop()
	until := time.Now().Add(3 * time.Second)
	for time.Now().Before(until) {
		w.want(200, known)
		time.Sleep(50 * time.Millisecond)
	}
	a := w.get(w.token())
	if a.code != 503 || a.header.Get("Retry-After") == "" || a.header.Get("WWW-Authenticate") != "" {
		t.Errorf("a new caller: %d, Retry-After %q", a.code, a.header.Get("Retry-After"))
	}
	if code, text := w.admin("/readyz"); code != 200 {
		t.Errorf("an outage turned the gate red: %d %s", code, text)
	}
	must(t, w.server.Start())
	back := time.Now()
	w.eventually("back", func() bool { return w.get(w.token()).code == 200 })
	t.Logf("back %v after the API server", time.Since(back).Round(time.Millisecond))
}

func TestAPIServerHangs(t *testing.T) {
	t.Parallel()
	w := start(t, "--recheck=1s")
	known := w.token()
	w.want(200, known)
	time.Sleep(1100 * time.Millisecond) // overdue, so that the first one waits
	w.cluster.Fail(minicluster.All, minicluster.Fault{Hang: true})
	begun := time.Now()
	w.want(200, known)
	if took := time.Since(begun); took > 2*time.Second+atOnce {
		t.Errorf("the first to notice waited %v", took)
	}
	// Each of them would wait 2 s, and a busy machine may have all wait once.
	begun = time.Now()
	for range 20 {
		w.want(200, known)
	}
	if took := time.Since(begun); took > 4*atOnce {
		t.Errorf("20 calls of a known caller waited %v", took)
	}
	w.cluster.Heal()
	w.eventually("back", func() bool { return w.get(w.token()).code == 200 })
}

func TestWhenUnavailable(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		policy     string
		known, new int
	}{
		{"serve-confirmed", 200, 503},
		{"fail", 503, 503},
		{"serve-verified", 200, 200},
	} {
		t.Run(tc.policy, func(t *testing.T) {
			t.Parallel()
			w := start(t, "--recheck=1s", "--when-unavailable="+tc.policy)
			known := w.token()
			w.want(200, known)
			w.server.Stop()
			time.Sleep(1100 * time.Millisecond)
			w.want(tc.known, known)
			w.want(tc.new, w.token())
			w.want(401, w.token("other")) // an outage excuses nothing
		})
	}
}

func TestOwnTokenRotates(t *testing.T) {
	t.Parallel()
	w := start(t)
	for _, n := range []string{"1", "2", "3"} {
		must(t, w.kubelet.RotateNow())
		w.want(200, w.token())
		w.eventually("counted", func() bool { return w.metric("sallyport_own_token_rotations_total") == n })
	}
	w.noTokenIn(w.log.String())
}

func TestOwnPermissionMissing(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.cluster.Revoke("system:serviceaccount:gate:gate", minicluster.Review)
	w.want(503, w.token())
	if !strings.Contains(w.log.String(), "may not create tokenreviews") {
		t.Errorf("the log does not say that it is our permission:\n%s", w.log)
	}
	w.cluster.Grant("system:serviceaccount:gate:gate", minicluster.Review)
	w.eventually("back", func() bool { return w.get(w.token()).code == 200 })
}

func TestSigningKeyRotates(t *testing.T) {
	t.Parallel()
	w := start(t, "file:keyRefresh: {interval: 1s, cooldown: 1s, removalPause: 1s}", "--recheck=1s")
	old := w.token()
	oldKey := w.cluster.SigningKey()
	w.want(200, old)
	kid, err := w.cluster.AddKey()
	must(t, err)
	time.Sleep(time.Second) // one cool-down
	must(t, w.cluster.SignWith(kid))
	w.want(200, w.token())
	w.want(200, old)
	must(t, w.kubelet.RotateNow()) // or the API server would refuse ourselves
	w.eventually("rotated", func() bool { return w.metric("sallyport_own_token_rotations_total") == "1" })
	w.cluster.RemoveKey(oldKey)
	w.eventually("refused", func() bool { return w.get(old).code == 401 })
	w.want(200, w.token())
}

func TestCARotates(t *testing.T) {
	t.Parallel()
	w := start(t, "--recheck=1s")
	w.want(200, w.token())
	must(t, w.server.RotateCA())
	w.server.Stop()
	must(t, w.server.Start())
	must(t, w.kubelet.RotateNow()) // writes the new CA beside the token
	w.eventually("back", func() bool { return w.get(w.token()).code == 200 })
}

func TestPublicPath(t *testing.T) {
	t.Parallel()
	w := start(t, "--public-path=/public/*", "--public-path=/healthz")
	for path, code := range map[string]int{
		"/public/a": 200, "/healthz": 200, "/public": 401, "/healthz/": 401, "/": 401,
		"/public/../x": 401, "/public/%2e%2e/x": 401, "/public//x": 401,
	} {
		if a := w.getPath(path, "", "X-Remote-User", "root", "X_Remote_User", "root"); a.code != code {
			t.Errorf("%s: %d, want %d", path, a.code, code)
		} else if strings.Contains(a.body, "root") {
			t.Errorf("%s: the app saw a forged identity: %s", path, a.body)
		}
	}
}

func TestMissingTokenFile(t *testing.T) {
	t.Parallel()
	w := start(t)
	must(t, os.Remove(w.kubelet.Path()))
	w.want(200, w.token()) // the last good one stays
	w.eventually("noticed", func() bool { return w.metric("sallyport_own_token_read_errors_total") != "0" })
	must(t, w.kubelet.RotateNow())
	w.want(200, w.token())
}
