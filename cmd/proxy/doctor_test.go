package main

import (
	"bytes"

	"encoding/json"
	"encoding/pem"

	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sallyport/internal/config"
	"sallyport/internal/doctor"
	"sallyport/internal/minicluster"
)

// doctor runs the command and returns its lines, by what they are about.
func (w *world) doctor(args ...string) (code int, lines []doctor.Line) {
	w.t.Helper()
	var out, errs bytes.Buffer
	code = run(w.t.Context(), commands, append(append([]string{"doctor"}, w.flags(w.t.TempDir(), args)...), "-o=json"), streams{out: &out, err: &errs})
	var r struct{ Lines []doctor.Line }
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		w.t.Fatalf("%v: %s%s", err, out.Bytes(), errs.Bytes())
	}
	return code, r.Lines
}

// writeToken puts a token into the gate's file, beside a CA that stays.
func (w *world) writeToken(token string) {
	w.t.Helper()
	must(w.t, os.Remove(w.kubelet.Path()))
	must(w.t, os.WriteFile(w.kubelet.Path(), []byte(token), 0o600))
}

// own issues a token of the gate's.
func (w *world) own(r minicluster.Request) string {
	w.t.Helper()
	r.Namespace, r.ServiceAccount, r.Pod = "gate", "gate", "gate-0"
	token, err := w.cluster.Token(r)
	must(w.t, err)
	return token
}

const (
	mayReview   = "kubectl create clusterrole sallyport-tokenreview --verb=create --resource=tokenreviews.authentication.k8s.io; kubectl create clusterrolebinding sallyport-tokenreview-gate-gate --clusterrole=sallyport-tokenreview --serviceaccount=gate:gate"
	mayDiscover = "kubectl create clusterrolebinding sallyport-discovery-gate-gate --clusterrole=system:service-account-issuer-discovery --serviceaccount=gate:gate"
)

// A finding is a line, as far as it matters: parts of what is said.
type finding struct {
	about     string
	state     doctor.State
	text, fix string
}

// TestDoctor: each thing that can be wrong has its line, with the cure.
func TestDoctor(t *testing.T) {
	t.Parallel()
	type line = finding
	ok, warning, failed, skipped := doctor.OK, doctor.Warning, doctor.Failed, doctor.Skipped
	none := func(*world) []string { return nil }
	for name, tc := range map[string]struct {
		world func(w *world) (flags []string)
		want  []line
	}{
		"well": {func(w *world) []string { return []string{"--pod-ips=127.0.0.9"} }, []line{
			{"configuration", ok, "mode hybrid, for my-app", ""},
			{"own token", ok, "system:serviceaccount:gate:gate, for " + minicluster.DefaultIssuer + "; issued", ""},
			{"API server", ok, "answers within", ""},
			{"API server", ok, "the clock: ours is that of the API server", ""},
			{"reviews", ok, "answers our questions", ""},
			{"keys", ok, "the cluster's discovery document: fetched", ""},
			{"keys", ok, "the cluster's keys: fetched", ""},
			{"app", ok, "it accepts connections at 127.0.0.1:", ""},
			{"past the gate", ok, "nobody answers at [127.0.0.9:", ""},
			{"certificate", skipped, "none is configured", ""},
			{"gate", skipped, "no gate answers at 127.0.0.1:0", ""},
		}},
		"mode oidc":           {func(*world) []string { return []string{"--mode=oidc"} }, []line{{"reviews", skipped, "mode oidc asks nobody", ""}, {"keys", ok, "the cluster's keys: fetched", ""}}},
		"issuers are written": {func(*world) []string { return []string{"--issuer=" + minicluster.DefaultIssuer} }, []line{{"keys", ok, "the cluster's keys: fetched", ""}}},

		"no token": {func(w *world) []string { must(w.t, os.Remove(w.kubelet.Path())); return nil }, []line{
			{"own token", failed, "there is none: open ", "mount a projected serviceAccountToken with expirationSeconds: 3600 and no audience"},
			{"API server", skipped, "no token of our own", ""},
			{"reviews", failed, "as we have no token of our own: open ", "see the line about our own token; if that is well"},
			{"keys", failed, "the cluster's keys: open ", "see the line about our own token; if that is well"},
		}},
		"a torn token": {func(w *world) []string { w.writeToken("eyJ"); return nil }, []line{{"own token", failed, "there is none: the file is not a JWT", "mount a projected"}}},
		"expired": {func(w *world) []string { w.writeToken(w.own(minicluster.Request{TTL: -time.Hour})); return nil }, []line{
			{"own token", failed, "it expired 1 h ago, and the kubelet has not replaced it", "look at the kubelet of this node"},
			{"API server", failed, "refuses our own token", "see the line about our own token; if that is well"},
			{"reviews", failed, "the API server refuses our own token", "see the line about our own token; if that is well"},
			{"keys", failed, "answered 401", "see the line about our own token; if that is well"},
		}},
		"late":   {func(w *world) []string { w.writeToken(w.aged(55 * time.Minute)); return nil }, []line{{"own token", warning, "the kubelet should have replaced it 7 m", "another source of its volume may fail"}}},
		"3607 s": {func(w *world) []string { w.writeToken(w.own(minicluster.Request{TTL: 3607 * time.Second})); return nil }, []line{{"own token", warning, "it was asked for with 3607 s", "expirationSeconds: 3600"}}},
		"of a Secret": {func(w *world) []string {
			token, err := w.cluster.CreateSecretToken("gate", "s", "gate")
			must(w.t, err)
			w.writeToken(token)
			return nil
		}, []line{{"own token", warning, "without an end", "mount a projected"}}},
		"for us": {func(w *world) []string {
			w.writeToken(w.own(minicluster.Request{Audiences: []string{audience}}))
			return nil
		}, []line{{"API server", failed, "refuses our own token", "its projection must have no audience"}}},
		"not for gates": {func(w *world) []string {
			w.cluster.Revoke("system:serviceaccount:gate:gate", minicluster.Review)
			return nil
		}, []line{{"reviews", failed, "we may not create tokenreviews", mayReview}}},

		"stopped":      {func(w *world) []string { w.server.Stop(); return nil }, []line{{"API server", failed, "cannot be reached: ", "let this pod reach it"}, {"API server", skipped, "the clock: not compared", ""}, {"reviews", failed, "no review from the API server (network)", "see the line about"}, {"keys", failed, "the cluster's keys: ", "see the line about"}}},
		"another's CA": {func(w *world) []string { must(w.t, w.server.RotateCA()); return nil }, []line{{"API server", failed, "a certificate that we do not trust", "it must be this cluster's"}}},
		"unwell":       {func(w *world) []string { w.cluster.Fail(minicluster.All, minicluster.Fault{Status: 503}); return nil }, []line{{"API server", failed, "answers 503", "look at the API server"}, {"reviews", failed, "(status)", ""}}},
		"garbage": {func(w *world) []string {
			w.cluster.Fail(minicluster.Reviews, minicluster.Fault{Body: minicluster.Garbage})
			return nil
		}, []line{{"API server", ok, "answers", ""}, {"reviews", failed, "(decode)", ""}}},
		"it hangs": {func(w *world) []string { w.cluster.Fail(minicluster.All, minicluster.Fault{Hang: true}); return nil }, []line{{"API server", failed, "", "let this pod reach it"}, {"reviews", failed, "(timeout)", ""}, {"keys", failed, "the cluster's keys:", ""}, {"app", ok, "accepts", ""}}},
		"30 s off": {func(w *world) []string {
			w.cluster.Fail(minicluster.Others, minicluster.Fault{Skew: 30 * time.Second})
			return nil
		}, []line{{"API server", warning, "behind the API server's; --leeway covers 1 m", "chrony"}}},
		"5 m off": {func(w *world) []string {
			w.cluster.Fail(minicluster.Others, minicluster.Fault{Skew: -5 * time.Minute})
			return nil
		}, []line{{"API server", failed, "ahead of the API server's, and --leeway covers 1 m: ", "chrony"}}},
		"30 s, and no leeway": {func(w *world) []string {
			w.cluster.Fail(minicluster.Others, minicluster.Fault{Skew: 30 * time.Second})
			return []string{"--leeway=10s"}
		}, []line{{"API server", failed, "the clock: ours is ", "chrony"}}},

		"nobody may look": {func(w *world) []string { w.cluster.Revoke("system:serviceaccounts", minicluster.Discover); return nil }, []line{{"keys", failed, "the cluster's keys: we may not read them", mayDiscover}, {"keys", warning, "the cluster's discovery document: we may not", mayDiscover}}},
		"not served":      {func(w *world) []string { w.cluster.Fail(minicluster.Keys, minicluster.Fault{Status: 404}); return nil }, []line{{"keys", failed, "answered 404; Get ", "--mode tokenreview needs no keys"}}},
		"no keys needed": {func(w *world) []string {
			w.cluster.Revoke("system:serviceaccounts", minicluster.Discover)
			return []string{"--mode=tokenreview"}
		}, []line{{"keys", warning, "the cluster's discovery document: we may not", mayDiscover}}},
		"another issuer": {func(w *world) []string { return newProvider(w.t).config() }, []line{{"keys", ok, "the keys of https://127.0.0.1:", ""}}},
		"it is away":     {func(w *world) []string { p := newProvider(w.t); p.Stop(); return p.config() }, []line{{"keys", failed, "the keys of https://127.0.0.1:", "must be reached from this pod"}}},
		"not its CA":     {func(w *world) []string { return newProvider(w.t).trusting(w.server.CAPEM()) }, []line{{"keys", failed, "a certificate that we do not trust", "issuer.certificateAuthority"}}},

		"no app":    {func(w *world) []string { w.app.Close(); return nil }, []line{{"app", failed, "no connection at 127.0.0.1:", "start the app"}}},
		"no socket": {func(w *world) []string { return []string{"--upstream=unix:///nowhere/at/all"} }, []line{{"app", failed, "no connection at unix:///nowhere/at/all", "start the app"}, {"past the gate", skipped, "unix socket", ""}}},
		"the app's CA": {func(w *world) []string {
			s := httptest.NewTLSServer(nil)
			w.t.Cleanup(s.Close)
			return []string{"--upstream=" + s.URL}
		}, []line{{"app", failed, "a certificate that we do not trust", "--upstream-ca-file"}}},
		"an app with TLS": {func(w *world) []string {
			s := httptest.NewTLSServer(nil)
			w.t.Cleanup(s.Close)
			return []string{"--upstream=" + s.URL, "--upstream-ca-file=" + caOf(w.t, s)}
		}, []line{{"app", ok, "accepts connections", ""}}},
		"past the gate": {func(w *world) []string {
			return []string{"--upstream=http://127.0.0.1:" + appAt(w.t.(*testing.T), true), "--pod-ips=" + podIP}
		}, []line{{"past the gate", failed, "the app answers at [127.0.0.9:", "let the app listen on 127.0.0.1:"}}},
		"no pod IPs":   {none, []line{{"past the gate", warning, "nobody looks whether", "--pod-ips=$(POD_IPS)"}}},
		"nobody is to": {func(*world) []string { return []string{"--bypass-check=off"} }, []line{{"past the gate", skipped, "--bypass-check=off", ""}}},

		"a certificate": {certificate(300 * 24 * time.Hour), []line{{"certificate", ok, "expires in ", ""}}},
		"of hours":      {certificate(13 * 24 * time.Hour / 100), []line{{"certificate", ok, "expires in ", ""}}},
		"it ends":       {certificate(10 * time.Minute), []line{{"certificate", warning, "expires in ", "write a new pair"}}},
		"it expired":    {certificate(-time.Minute), []line{{"certificate", failed, "expired 1 m", "write a new pair"}}},
		"no key": {func(w *world) []string {
			flags := certificate(time.Hour)(w)
			must(w.t, os.Remove(strings.TrimPrefix(flags[1], "--tls-key-file=")))
			return flags
		}, []line{{"certificate", failed, "no such file", "a running gate goes on"}, {"configuration", failed, "--tls-key-file", "serve would not start"}}},

		"a warning":     {func(*world) []string { return []string{"--trusted-peers=0.0.0.0/0"} }, []line{{"configuration", warning, "nearly everybody", "docs/configuration.md"}}},
		"no kubeconfig": {func(*world) []string { return []string{"--kubeconfig=/nowhere"} }, []line{{"configuration", failed, "/nowhere", "serve would not start"}, {"app", ok, "accepts", ""}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := around(t)
			begin := time.Now()
			code, lines := w.doctor(tc.world(w)...)
			if took := time.Since(begin); took > doctor.Each+5*time.Second {
				t.Errorf("it took %v", took)
			}
			for _, want := range tc.want {
				if !has(lines, want) {
					t.Errorf("no line %+v", want)
				}
			}
			if name == "well" && len(lines) != len(tc.want) {
				t.Errorf("%d lines, want %d", len(lines), len(tc.want))
			}
			if want := min(doctor.Failures(lines), 1); code != want {
				t.Errorf("exit %d, want %d", code, want)
			}
			for _, l := range lines {
				if (l.Fix == "") != (l.State == ok || l.State == skipped) {
					t.Errorf("a fix where there should be none, or none where there should: %+v", l)
				}
			}
			if t.Failed() {
				var b bytes.Buffer
				_ = doctor.Text(&b, lines)
				t.Log("\n" + b.String())
			}
		})
	}
}

func has(lines []doctor.Line, want finding) bool {
	for _, l := range lines {
		if l.About == want.about && l.State == want.state && strings.Contains(l.Text, want.text) && strings.Contains(l.Fix, want.fix) {
			return true
		}
	}
	return false
}

// aged is a token of the gate's for an hour, made a while ago.
func (w *world) aged(age time.Duration) string {
	w.t.Helper()
	claims, err := w.cluster.Claims(minicluster.Request{Namespace: "gate", ServiceAccount: "gate", Pod: "gate-0"})
	must(w.t, err)
	for _, name := range []string{"iat", "nbf", "exp"} {
		claims[name] = claims[name].(int64) - int64(age.Seconds())
	}
	token, err := w.cluster.Sign(nil, claims)
	must(w.t, err)
	return token
}

// certificate has one that ends so long from now.
func certificate(left time.Duration) func(w *world) []string {
	return func(w *world) []string { return certified(w.t, left) }
}

// caOf writes a server's own certificate into a file.
func caOf(t testing.TB, s *httptest.Server) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "ca.crt")
	must(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600))
	return file
}

// TestDoctorBesideGate: in a pod both run at once, and the doctor asks the gate
// too.
func TestDoctorBesideGate(t *testing.T) {
	w := start(t)
	admin := "--admin-listen=" + w.gate.admin.addr()
	if code, lines := w.doctor(admin); code != 0 || !has(lines, finding{"gate", doctor.OK, "it is ready", ""}) {
		t.Errorf("exit %d, %+v", code, lines)
	}
	go w.stop()
	slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "not-ready\nown token: missing", http.StatusServiceUnavailable)
	}))
	defer slow.Close()
	code, lines := w.doctor("--admin-listen=" + slow.Listener.Addr().String())
	if code != 1 || !has(lines, finding{"gate", doctor.Failed, "not ready: not-ready own token: missing", ""}) {
		t.Errorf("exit %d, %+v", code, lines)
	}
}

func TestDoctorWithoutToken(t *testing.T) {
	w := around(t)
	token := w.own(minicluster.Request{})
	kubeconfig := filepath.Join(w.dir, "admin")
	ca := filepath.Join(filepath.Dir(w.kubelet.Path()), "ca.crt")
	must(t, os.WriteFile(kubeconfig, []byte(`{"apiVersion":"v1","kind":"Config","current-context":"c",
"clusters":[{"name":"c","cluster":{"server":"`+w.server.URL()+`","certificate-authority":"`+ca+`"}}],
"contexts":[{"name":"c","context":{"cluster":"c","user":"u"}}],"users":[{"name":"u","user":{"token":"`+token+`"}}]}`), 0o600))
	args := []string{"doctor", "--kubeconfig=" + kubeconfig, "--audience=" + audience, "--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:1", "--upstream=" + w.app.URL}
	try := func() (int, string) {
		var out bytes.Buffer
		code := run(t.Context(), commands, args, streams{out: &out, err: &out})
		return code, out.String()
	}
	if code, out := try(); code != 0 || !strings.Contains(out, "the kubeconfig's own credentials are used") || !strings.Contains(out, "ok       reviews ") {
		t.Errorf("exit %d\n%s", code, out)
	}
	w.cluster.Revoke("system:serviceaccount:gate:gate", minicluster.Review)
	if code, out := try(); code != 1 || !strings.Contains(out, "fix: kubectl create clusterrole ") || !strings.Contains(out, "--user=USER-OF-THE-KUBECONFIG") || strings.Contains(out, token[:40]) {
		t.Errorf("exit %d\n%s", code, out)
	}
}

func TestDoctorUsage(t *testing.T) {
	for line, want := range map[string]string{
		"doctor":                   "no sallyport serve runs here",
		"doctor --audience=a -o=x": "neither text nor json",
		"doctor --bogus":           "--bogus: there is no such flag",
		"doctor --listen=:8443":    "--audience: there is none",
	} {
		if code, out, errs := call(t, commands, line); code != 2 || out != "" || !strings.Contains(errs, want) {
			t.Errorf("%s: exit %d %s%s", line, code, out, errs)
		}
	}
	if code, out, _ := call(t, commands, "doctor --help"); code != 0 || !strings.Contains(out, "Exit code: 0 nothing failed") {
		t.Errorf("exit %d %s", code, out)
	}
}

func TestHere(t *testing.T) {
	for in, want := range map[string]string{":9901": "127.0.0.1:9901", "0.0.0.0:1": "127.0.0.1:1", "[::]:2": "127.0.0.1:2", "127.0.0.3:4": "127.0.0.3:4", "[::1]:5": "[::1]:5"} {
		a, err := config.ParseAddress(in)
		must(t, err)
		if got := here(a).Name; got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}
