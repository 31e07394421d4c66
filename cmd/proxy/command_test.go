package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"runtime/debug"
	"strings"
	"testing"

	"sallyport/internal/config"
)

// call runs a command line and returns what came of it.
func call(t *testing.T, table []command, line string) (code int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	code = run(t.Context(), table, strings.Fields(line), streams{out: &o, err: &e})
	return code, o.String(), e.String()
}

func TestExitCodes(t *testing.T) {
	broken := errors.New("broken")
	served := 0
	gate := func(_ context.Context, c *config.Config) error {
		served++
		if c.Mode == config.OIDC {
			return broken
		}
		return nil
	}
	table := append([]command{serveCommand(gate)}, commands...)
	const good = "serve --audience=a --listen=127.0.0.1:0"
	for _, c := range []struct {
		line     string
		code     int
		out, err string
		served   bool
	}{
		{"", 0, "  serve     ", "", false},
		{"help", 0, "  drain     ", "", false},
		{"--help", 0, "Usage: sallyport COMMAND", "", false},
		{"-h", 0, "Usage: sallyport COMMAND", "", false},
		{"server", 2, "", `there is no command "server"`, false},
		{"--audience=a", 2, "", `there is no command "--audience=a"`, false},
		{good, 0, "", "", true},
		{good + " --mode=oidc", 1, "", "sallyport serve: broken\n", true},
		{good + " --check", 0, "the configuration is valid\n", "", false},
		{good + " --check --trusted-peers=0.0.0.0/0", 0, "valid", "warning: --trusted-peers: 0.0.0.0/0 is nearly everybody", false},
		{good + " --check --mode=x", 2, "", "sallyport serve: one thing has to be written differently:\n  --mode: ", false},
		{good + " --check --kubeconfig=/nowhere --tls-cert-file=/c --tls-key-file=/k", 2, "", "sallyport serve: 3 things have to be written differently:\n  --tls-cert-file: ", false},
		{good + " --check --kubeconfig=/nowhere --trusted-peers=0.0.0.0/0", 2, "", "warning: --trusted-peers: ", false},
		{good + " --kubeconfig=/nowhere", 2, "", "sallyport serve: one thing has to be written differently:\n  --kubeconfig: /nowhere cannot be read", false},
		{good + " --token-file=/nowhere", 0, "", "", true},
		{"serve", 2, "", "sallyport serve: 2 things have to be written differently:\n  --audience: ", false},
		{"serve --help", 0, "Usage: sallyport serve", "", false},
		{"serve --help=all", 0, "  --trusted-peers", "", false},
		{"version", 0, "sallyport ", "", false},
		{"--version", 0, "sallyport ", "", false},
		{"version --help", 0, "Usage: sallyport version", "", false},
		{"version now", 2, "", `"now" is not a flag`, false},
		{"echo --help", 0, "--listen", "", false},
		{"echo --listen=x", 2, "", `--listen: "x" is no address`, false},
		{"echo --bogus", 2, "", "unknown flag: --bogus: write --help", false},
		{"echo --listen=unix:///nowhere/at/all", 1, "", "no such file or directory", false},
		{"drain --help", 0, "--debug-listen", "", false},
		{"drain --timeout=x", 2, "", "write --help", false},
		{"drain --timeout=0s", 2, "", "--timeout: 0s is out of bounds", false},
		{"drain --timeout=16m", 2, "", "--timeout: 16m0s is out of bounds", false},
		{"drain --debug-listen=:9902", 2, "", "--debug-listen: :9902 is not in this pod", false},
		{"drain --debug-listen=9902", 2, "", "--debug-listen: \"9902\" is no address", false},
		{"drain --debug-listen=unix:///nowhere/at/all", 1, "", "sallyport drain: unix:///nowhere/at/all cannot be asked", false},
		{"log-level --help", 0, "debug|info|warn|error", "", false},
		{"log-level trace", 2, "", `"trace" is not known: write debug, info, warn or error`, false},
		{"log-level DEBUG", 2, "", `"DEBUG" is not known`, false},
		{"log-level debug info", 2, "", "2 levels are too many", false},
		{"log-level --debug-listen=10.1.2.3:9902", 2, "", "--debug-listen: 10.1.2.3:9902 is not in this pod", false},
		{"log-level debug --debug-listen=unix:///nowhere/at/all", 1, "", "sallyport log-level: unix:///nowhere/at/all cannot be asked", false},
	} {
		served = 0
		code, out, errs := call(t, table, c.line)
		if code != c.code || !strings.Contains(out, c.out) || !strings.Contains(errs, c.err) || (served == 1) != c.served {
			t.Errorf("%s: exit %d, served %d\nout: %s\nerr: %s", c.line, code, served, out, errs)
		}
		if (c.out == "") != (out == "") || (c.err == "") != (errs == "") {
			t.Errorf("%s: on the wrong stream\nout: %s\nerr: %s", c.line, out, errs)
		}
	}
}

func TestDescribe(t *testing.T) {
	build := &debug.BuildInfo{Main: debug.Module{Version: "v0.9.0"}, Settings: []debug.BuildSetting{
		{Key: "vcs.revision", Value: "abc"}, {Key: "vcs.modified", Value: "true"},
	}}
	for _, c := range []struct {
		linked    string
		info      *debug.BuildInfo
		v, commit string
	}{
		{"v1", build, "v1", "abc with changes"},
		{"", build, "v0.9.0", "abc with changes"},
		{"", nil, "unknown", "unknown"},
		{"v1", &debug.BuildInfo{Settings: []debug.BuildSetting{{Key: "vcs.modified", Value: "false"}}}, "v1", "unknown"},
	} {
		if v, commit := describe(c.linked, c.info); v != c.v || commit != c.commit {
			t.Errorf("%q: %s, %s, want %s, %s", c.linked, v, commit, c.v, c.commit)
		}
	}
}

// A token that is written where none belongs, as an argument or as a flag's value,
// does not come out again.
func TestTokenAsArgument(t *testing.T) {
	raw, err := os.ReadFile("../../internal/authn/jwt/testdata/extended.token")
	must(t, err)
	token := strings.TrimSpace(string(raw))
	signature := token[strings.LastIndex(token, ".")+1:]
	const file = " ../../internal/authn/jwt/testdata/extended.token"
	lines := []string{
		token, "explain --audience=a --listen=127.0.0.1:0 --path=" + token, "explain --audience=a --listen=127.0.0.1:0 --public-path=/* --path=/" + token,
		"inspect x " + token, "inspect --output=" + token, "inspect --ca-file=" + token + " --jwks=https://x" + file,
		"inspect --jwks=" + token + file, "inspect --issuer=" + token + file, "log-level --debug-listen=" + token, "echo --listen=" + token,
	}
	for _, c := range commands {
		lines = append(lines, c.name+" "+token, c.name+" --"+token, c.name+" -"+token)
	}
	for _, line := range lines {
		var out bytes.Buffer
		run(t.Context(), commands, strings.Fields(line), streams{in: strings.NewReader(""), out: &out, err: &out})
		if got := out.String(); strings.Contains(got, signature) || !strings.Contains(got, "[...]") {
			t.Errorf("%.60s...: %s", line, got)
		}
	}
}
