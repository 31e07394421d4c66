package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sallyport/internal/authn"
	"sallyport/internal/explain"
	"sallyport/internal/minicluster"
)

// explainToken runs the command with a token on standard input.
func explainToken(t testing.TB, token string, args ...string) (code int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	code = run(t.Context(), commands, append([]string{"explain"}, args...), streams{in: strings.NewReader(token), out: &o, err: &e})
	return code, o.String(), e.String()
}

// explain runs the command and reads its JSON.
func (w *world) explain(token string, args []string, more ...string) (code int, r explain.Report) {
	w.t.Helper()
	code, out, errs := explainToken(w.t, token, append(w.flags(w.t.TempDir(), args), append(more, "-o=json")...)...)
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		w.t.Fatalf("%v: %s%s", err, out, errs)
	}
	return code, r
}

// failed returns the steps that said no.
func failed(r explain.Report) (names []string) {
	for _, s := range r.Steps {
		if s.Result == "refused" || s.Result == "unavailable" {
			names = append(names, s.Check)
		}
	}
	return names
}

// TestExplainIsServe: what explain says of a token, serve does with it, in every
// mode and whatever is broken.
func TestExplainIsServe(t *testing.T) {
	t.Parallel()
	type step = func(w *world)
	none := func(*world) {}
	token := func(r minicluster.Request) func(w *world) string {
		return func(w *world) string {
			r.Namespace, r.ServiceAccount = "ns", "caller"
			token, err := w.cluster.Token(r)
			must(w.t, err)
			return token
		}
	}
	ours := minicluster.Request{Pod: "caller-0", Audiences: []string{audience}}
	good := token(ours)
	for name, tc := range map[string]struct {
		token func(w *world) string
		world step
		// what is refused first, by mode: hybrid, oidc, tokenreview
		want [3]authn.Reason
	}{
		"good":            {good, none, [3]authn.Reason{"ok", "ok", "ok"}},
		"no token":        {func(*world) string { return "" }, none, [3]authn.Reason{"missing", "missing", "missing"}},
		"no JWT":          {func(*world) string { return "abc" }, none, [3]authn.Reason{"malformed", "malformed", "malformed"}},
		"two words":       {func(w *world) string { return good(w) + " x" }, none, [3]authn.Reason{"header", "header", "header"}},
		"another's":       {token(minicluster.Request{Pod: "caller-0", Audiences: []string{"x"}}), none, [3]authn.Reason{"audience", "audience", "audience"}},
		"the API's":       {token(minicluster.Request{Pod: "caller-0"}), none, [3]authn.Reason{"audience", "audience", "audience"}},
		"ours and theirs": {token(minicluster.Request{Pod: "caller-0", Audiences: []string{audience, minicluster.DefaultIssuer}}), none, [3]authn.Reason{"api_audience", "api_audience", "api_audience"}},
		"expired":         {token(minicluster.Request{Pod: "caller-0", Audiences: []string{audience}, TTL: -2 * time.Hour}), none, [3]authn.Reason{"expired", "expired", "expired"}},
		"a week":          {token(minicluster.Request{Pod: "caller-0", Audiences: []string{audience}, TTL: 7 * 24 * time.Hour}), none, [3]authn.Reason{"lifetime", "lifetime", "lifetime"}},
		"forged":          {func(w *world) string { return swapSignature(good(w), good(w)) }, none, [3]authn.Reason{"signature", "signature", "revoked"}},
		"its pod is gone": {good, func(w *world) { w.cluster.DeletePod("ns", "caller-0", 0) }, [3]authn.Reason{"revoked", "ok", "revoked"}},
		"legacy": {func(w *world) string {
			token, err := w.cluster.CreateSecretToken("ns", "old", "caller")
			must(w.t, err)
			return token
		}, none, [3]authn.Reason{"legacy", "legacy", "legacy"}},
		"no right to ask":   {good, func(w *world) { w.cluster.Revoke("system:serviceaccount:gate:gate", minicluster.Review) }, [3]authn.Reason{"review_forbidden", "ok", "review_forbidden"}},
		"reviews fail":      {good, func(w *world) { w.cluster.Fail(minicluster.Reviews, minicluster.Fault{Status: 500}) }, [3]authn.Reason{"review_failed", "ok", "review_failed"}},
		"nobody may look":   {good, func(w *world) { w.cluster.Revoke("system:serviceaccounts", minicluster.Discover) }, [3]authn.Reason{"keys_unavailable", "keys_unavailable", "ok"}},
		"no API server":     {good, func(w *world) { w.server.Stop() }, [3]authn.Reason{"keys_unavailable", "keys_unavailable", "review_failed"}},
		"nor our own token": {good, func(w *world) { must(w.t, os.Remove(w.kubelet.Path())) }, [3]authn.Reason{"own_token", "own_token", "own_token"}},
	} {
		for i, mode := range []string{"hybrid", "oidc", "tokenreview"} {
			t.Run(name+"/"+mode, func(t *testing.T) {
				w := around(t)
				token := tc.token(w)
				args := []string{"--mode=" + mode}
				tc.world(w)
				code, r := w.explain(token, args)
				if r.Reason != tc.want[i] {
					t.Errorf("explained: %s, want %s\n%+v", r.Reason, tc.want[i], r)
				}
				if want := map[explain.Verdict]int{explain.Accepted: 0, explain.Refused: 1, explain.Undecided: 3}[r.Verdict]; code != want {
					t.Errorf("%s with exit %d", r.Verdict, code)
				}
				for _, s := range r.Steps {
					if s.Asks == "" {
						t.Errorf("what does %q ask?", s.Check)
					}
				}
				if r.Verdict != explain.Accepted && (r.Advice == "" || len(failed(r)) == 0) {
					t.Errorf("it does not say what would change that: %+v", r)
				}
				// A gate that starts into the same world says the same.
				w.launch(w.dir, args)
				w.eventually("deciding as explained", func() bool {
					return w.get(token).code == max(r.Status, 200) &&
						(r.Verdict == explain.Accepted || strings.Contains(w.log.String(), `"reason":"`+string(r.Reason)+`"`))
				})
			})
		}
	}
}

// swapSignature puts another token's signature behind a token.
func swapSignature(token, other string) string {
	return token[:strings.LastIndex(token, ".")] + other[strings.LastIndex(other, "."):]
}

// TestExplainGoesOn: who sent a token with three mistakes learns of all three.
func TestExplainGoesOn(t *testing.T) {
	w := around(t)
	token, err := w.cluster.Token(minicluster.Request{Namespace: "ns", ServiceAccount: "caller", TTL: -time.Hour, Audiences: []string{"x"}})
	must(t, err)
	token = swapSignature(token, w.token())
	code, r := w.explain(token, nil)
	if got := failed(r); code != 1 || !slices.Equal(got, []string{"audience", "time", "signature"}) {
		t.Errorf("exit %d, %v", code, got)
	}
	if n := w.cluster.Counts().Reviews; n != 0 {
		t.Errorf("%d reviews for a token that cannot succeed", n)
	}
	code, out, errs := explainToken(t, token, w.flags(w.dir, nil)...)
	for _, want := range []string{
		"our audiences       my-app\n", "its issuers         " + minicluster.DefaultIssuer + "\n",
		"ok          issuer              is it from an issuer that is known?\n",
		"REFUSED     audience            was it made for us?\n                                \"x\"\n                                -> project a token with our audience;",
		"REFUSED     time ", "it expired 1h0m", "REFUSED     signature ", "-           review              does the API server say yes?\n",
		"\nRefused: 401, with the reason audience.\nThe caller is told: the token is for another audience.\nWhat would change that: project a token",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing in\n%s", want, out)
		}
	}
	if code != 1 || errs != "" || strings.Contains(out, token[strings.LastIndex(token, ".")+1:][:20]) {
		t.Errorf("exit %d, %s\n%s", code, errs, out)
	}
}

func TestExplainCaller(t *testing.T) {
	w := around(t)
	code, out, errs := explainToken(t, w.token()+"\n", w.flags(w.dir, nil)...)
	for _, want := range []string{
		"ok          review              does the API server say yes?\n", "ok          agreement ",
		"Accepted, with the reason ok: the request goes to the app.\n",
		"The app sees system:serviceaccount:ns:caller, uid ", "of the groups system:serviceaccounts, system:serviceaccounts:ns, system:authenticated.\n",
		"  authentication.kubernetes.io/pod-name: caller-0\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing in\n%s", want, out)
		}
	}
	if code != 0 || errs != "" {
		t.Errorf("exit %d, %s", code, errs)
	}
	// One that is let in with a warning.
	w = around(t)
	if code, r := w.explain(w.extended(2*time.Hour), apiAudience); code != 0 || !strings.Contains(r.Advice, "read the token file again") {
		t.Errorf("exit %d, %+v", code, r)
	}
}

func TestExplainOtherIssuers(t *testing.T) {
	i := newProvider(t)
	w := around(t)
	args := i.config()
	code, r := w.explain(i.token(t, nil), args)
	if code != 0 || r.Steps[1].Check != "rules" || r.Steps[1].Detail != "those of its issuer" {
		t.Errorf("exit %d, %+v", code, r)
	}
	// A name that no header can carry as it is: serve refuses it after all else.
	if code, r := w.explain(i.token(t, map[string]any{"email": "ann "}), args); code != 1 || r.Reason != authn.Claims || !slices.Equal(failed(r), []string{"headers to the app"}) {
		t.Errorf("exit %d, %+v", code, r)
	}
	if code, r := w.explain(w.token(), args); code != 0 || r.Steps[1].Detail != "the cluster's" {
		t.Errorf("exit %d, %+v", code, r)
	}
}

// A token that the gate only warns of passes, and is not called well.
func TestExplainWarned(t *testing.T) {
	w := around(t)
	code, r := w.explain(w.extended(2*time.Hour), apiAudience)
	at := slices.IndexFunc(r.Steps, func(s explain.Step) bool { return s.Check == "stale" })
	if code != 0 || at < 0 || !strings.Contains(r.Steps[at].Detail, "no: it should have been replaced ") || !strings.Contains(r.Advice, "read the token file again") {
		t.Errorf("exit %d, %+v", code, r)
	}
	if code, r := w.explain(w.extended(0), apiAudience); code != 0 || r.Advice != "" || r.Steps[at].Detail != "" {
		t.Errorf("exit %d, %+v", code, r)
	}
}

func TestExplainPath(t *testing.T) {
	w := around(t)
	args := []string{"--public-path=/public/*", "--listen=127.0.0.1:0"}
	for _, c := range []struct {
		token, path string
		code        int
		reason      authn.Reason
		route       string
	}{
		{"", "/public/x", 0, authn.Public, "the route /public/* is public"},
		{"", "/x", 1, authn.Missing, "no route matches"},
		{w.token(), "/x", 0, authn.OK, "no route matches"},
		{w.token(), "/public/../x", 1, authn.Path, "not canonical: a dot segment"},
		{"", "/public/../x", 1, authn.Missing, "not canonical: a dot segment"},
	} {
		code, r := w.explain(c.token, args, "--path", c.path)
		if code != c.code || r.Reason != c.reason || r.Request == nil || !strings.Contains(r.Request.Route, c.route) {
			t.Errorf("%s: exit %d, %s, %+v", c.path, code, r.Reason, r.Request)
		}
	}
	if code, out, _ := explainToken(t, w.token(), append(w.flags(w.dir, args), "--path=/x", "--method=PUT")...); code != 0 || !strings.Contains(out, "request             PUT /x: no route matches") {
		t.Errorf("exit %d\n%s", code, out)
	}
	if code, _, errs := explainToken(t, "\n", w.flags(w.dir, args)...); code != 1 || !strings.Contains(errs, "standard input is empty: this is about a request without a token") {
		t.Errorf("exit %d\n%s", code, errs)
	}
}

func TestExplainUsage(t *testing.T) {
	for line, want := range map[string]string{
		"":                                "no sallyport serve runs here",
		"--path=/x":                       "no sallyport serve runs here",
		"--pid=1":                         "process 1 is no sallyport serve",
		"--pid 1 --audience=a":            "--pid and flags of serve: write one of them",
		"--pid=x":                         "invalid argument",
		"--audience=a --path=orders":      `--path: "orders" does not begin with a slash`,
		"--audience=a --listen=:1 -o=x":   `--output: "x" is neither`,
		"--audience=a --listen=0.0.0.0:":  "sallyport explain: ",
		"--audience=a --bogus":            "--bogus: there is no such flag",
		"--audience=a --listen=[::1]:0 x": `"x" is not a flag`,
	} {
		if code, out, errs := explainToken(t, "", strings.Fields(line)...); code != 2 || out != "" || !strings.Contains(errs, want) {
			t.Errorf("%s: exit %d %s%s", line, code, out, errs)
		}
	}
	if code, out, _ := explainToken(t, "", "--help"); code != 0 || !strings.Contains(out, "Exit code: 0 accepted") {
		t.Errorf("exit %d %s", code, out)
	}
	// Nobody to ask: no pod, no kubeconfig.
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	if code, _, errs := explainToken(t, "x", "--audience=a", "--listen=127.0.0.1:0"); code != 3 || !strings.Contains(errs, "this is no pod") {
		t.Errorf("exit %d %s", code, errs)
	}
}

// TestRunningServe: a fake /proc, with this very program in it.
func TestRunningServe(t *testing.T) {
	proc := t.TempDir()
	exe, err := os.Executable()
	must(t, err)
	process := func(pid, exe, cmdline string) {
		dir := filepath.Join(proc, pid)
		must(t, os.MkdirAll(dir, 0o700))
		must(t, os.Symlink(exe, filepath.Join(dir, "exe")))
		must(t, os.WriteFile(filepath.Join(dir, "cmdline"), []byte(cmdline), 0o600))
	}
	if _, err := theRunning(proc, 0); err != errNotRunning {
		t.Errorf("an empty /proc: %v", err)
	}
	process("self", exe, "")
	process("7", exe, "sallyport\x00doctor\x00")
	process("8", "/bin/sh", "sh\x00serve\x00")
	process("9", exe, "")
	if _, err := theRunning(proc, 0); err != errNotRunning {
		t.Errorf("%v", err)
	}
	process("1", exe, "/sallyport\x00serve\x00--audience=a b\x00--tls=off\x00")
	r, err := theRunning(proc, 0)
	if err != nil || r.pid != 1 || !slices.Equal(r.args, []string{"--audience=a b", "--tls=off"}) {
		t.Errorf("%+v, %v", r, err)
	}
	process("20", exe, "/sallyport\x00serve\x00--audience=b\x00")
	_, err = theRunning(proc, 0)
	for _, want := range []string{"more than one", "\n  --pid 1        serve --audience=a b --tls=off", "\n  --pid 20       serve --audience=b"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	for pid, want := range map[int]string{1: "--audience=a b --tls=off", 20: "--audience=b", 7: "", 9: "", 21: "", -1: ""} {
		if r, err := theRunning(proc, pid); strings.Join(r.args, " ") != want || (err == nil) != (want != "") {
			t.Errorf("--pid %d: %+v, %v", pid, r, err)
		}
	}
}
