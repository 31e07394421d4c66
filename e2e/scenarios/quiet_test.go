package scenarios

import (
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"sallyport/e2e/caller"
	"sallyport/e2e/rude"
	"sallyport/internal/authn"
	"sallyport/internal/config"
)

// Given a gate of each mode that logs at debug and hands the callers' tokens to
// its app, and an app that breaks off with them in its answers,
// when tokens of all kinds come, and good ones in all places where they do not
// belong,
// then no part of any token is in what the gate answers, nor in any log, metric,
// page or object of the cluster's: the gate is checked for that when the test
// ends, as all gates are.
func TestQuiet(t *testing.T) {
	t.Parallel()
	c := newCaller(t)
	t.Run("gates", func(t *testing.T) {
		for _, mode := range []config.Mode{config.Hybrid, config.OIDC, config.TokenReview} {
			t.Run(string(mode), func(t *testing.T) {
				t.Parallel()
				g := deployWith(t, talkative(mode))
				g.waitReached(t, c)
				keeper := &callingPod{pod: g.pod}
				g.getsTokens(t, c)
				g.getsTricks(t, c)
				g.getsRudeAnswers(t, c)
				askAdmin(t, keeper)
				for _, k := range []*callingPod{c, keeper} {
					if err := k.confess(t.Context(), ownTokenOf[k == keeper]...); err != nil {
						t.Fatal(err)
					}
				}
			})
		}
	})
}

// ownTokenOf has the files of the caller's tokens, and of the gate's own, which
// the keeper can read.
var ownTokenOf = map[bool][]string{false: callerFiles, true: {defaultToken}}

// talkative makes a gate that says all it can, in front of a rude app. Beside
// them in the pod is a keeper: a caller that can read the gate's own token, and
// from which the gate's other ports are loopback.
func talkative(mode config.Mode) func(*manifest) {
	return func(m *manifest) {
		m.serve("--mode="+string(mode), "--log-level=debug", "--forward-authorization")
		args := m.sidecar().Args
		args[slices.IndexFunc(args, func(a string) bool { return strings.HasPrefix(a, "--upstream=") })] = "--upstream=http://" + rude.Address
		app := m.app()
		app.Image, app.Command, app.Args = *toolsImage, []string{"/rude"}, nil
		keeper := corev1.Container{
			Name: "keeper", Image: app.Image, Command: []string{"/caller"}, ImagePullPolicy: app.ImagePullPolicy,
			SecurityContext: app.SecurityContext, Resources: app.Resources, VolumeMounts: m.sidecar().VolumeMounts,
		}
		m.pod().Containers = append(m.pod().Containers, keeper)
	}
}

// getsTokens sends good and bad tokens where they belong.
func (g *gate) getsTokens(t *testing.T, c *callingPod) {
	t.Helper()
	for name, token := range allTokens(t, c) {
		a := c.call(t, caller.Request{URL: g.service + "/" + name, Token: token})
		if want := name == goodToken; (a.Status == http.StatusOK) != want {
			t.Errorf("%s: %v", name, a)
		}
		answersNothing(t, name, a)
	}
	for _, file := range callerFiles {
		answersNothing(t, file, c.call(t, caller.Request{URL: g.service + "/", TokenFile: file}))
	}
	g.tells(t, "/"+goodToken, authn.OK) // a debug line
}

// getsTricks sends a good token in places where it does not belong.
func (g *gate) getsTricks(t *testing.T, c *callingPod) {
	t.Helper()
	for name, trick := range tricks {
		a := c.raw(t, caller.Raw{Address: g.address(), Text: trick.text, TokenFile: ownToken})
		if a.Status != trick.status {
			t.Errorf("%s: %d %v, want %d", name, a.Status, a, trick.status)
		}
		answersNothing(t, name, a)
	}
}

// address returns the Service's host:port.
func (g *gate) address() string {
	return net.JoinHostPort(strings.TrimPrefix(g.service, "http://"), "80")
}

// getsRudeAnswers has the app answer with the token, in all that it may break.
func (g *gate) getsRudeAnswers(t *testing.T, c *callingPod) {
	t.Helper()
	// Raw, as Go's client sends some requests again that were cut.
	ask := func(path string) caller.Answer {
		return c.raw(t, caller.Raw{Address: g.address(), TokenFile: ownToken,
			Text: "GET " + path + " HTTP/1.1\r\nAuthorization: Bearer {token}\r\n" + rest})
	}
	for _, path := range slices.Sorted(maps.Keys(rude.Answers)) {
		if a := ask(path); a.Status == http.StatusOK && a.Error == "" {
			t.Errorf("%s: %v", path, a)
		}
		g.tells(t, path, authn.UpstreamBroken)
	}
	// What the app says unasked lies on an idle connection by then, and is nobody's
	// answer.
	for range 2 {
		if a := ask(rude.Unasked); a.Status != http.StatusOK || len(a.Body) > 0 {
			t.Errorf("%s: %v: %q", rude.Unasked, a, a.Body)
		}
		time.Sleep(rude.Idle * 3 / 2)
	}
	time.Sleep(rude.Idle)
	ask(rude.Away)
	ask("/refused")
	g.tells(t, "/refused", authn.UpstreamRefused)
}

// answersNothing checks an answer of the gate's own for parts of tokens. It knows
// those that the test itself has made.
func answersNothing(t *testing.T, name string, a caller.Answer) {
	t.Helper()
	if a.Status == http.StatusOK {
		return // the app's
	}
	for header, values := range a.Header {
		if err := clean(name+": "+header, []byte(strings.Join(values, "\n"))); err != nil {
			t.Error(err)
		}
	}
	if err := clean(name, a.Body); err != nil {
		t.Error(err)
	}
}

// askAdmin sends tokens to the gate's other listeners, from the pod itself, where
// they say most.
func askAdmin(t *testing.T, keeper *callingPod) {
	t.Helper()
	for _, text := range []string{
		"GET /startupz HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n",
		"GET /{token}?{token} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
		"{token} /readyz HTTP/1.1\r\nHost: {token}\r\nConnection: close\r\n\r\n",
		"POST /log-level HTTP/1.1\r\nHost: localhost\r\nContent-Length: 40\r\nConnection: close\r\n\r\n{token}",
		"{token}\r\n\r\n",
	} {
		for _, port := range []string{"9901", "9902"} {
			a := keeper.raw(t, caller.Raw{Address: "127.0.0.1:" + port, Text: text, TokenFile: defaultToken})
			if err := clean("port "+port, a.Body); err != nil || a.Status == 0 {
				t.Errorf("%.20q: %v: %v", text, a, err)
			}
		}
	}
}
