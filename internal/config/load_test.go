package config

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// good are arguments that are valid as they stand, and to which one more is
// added.
var good = []string{"--audience=orders", "--tls-cert-file=/c", "--tls-key-file=/k"}

func TestDefaults(t *testing.T) {
	c, err := Load(good)
	if err != nil {
		t.Fatal(err)
	}
	holds(t, c)
	for _, d := range []struct{ name, got, want string }{
		{"upstream", c.Upstream.URL.String(), "http://127.0.0.1:8080"},
		{"bypass-check", string(c.BypassCheck), "warn"},
		{"listen", c.Listen.String(), ":8443"},
		{"admin-listen", c.AdminListen.String(), ":9901"},
		{"debug-listen", c.DebugListen.String(), "127.0.0.1:9902"},
		{"mode", string(c.Mode), "hybrid"},
		{"leeway", short(c.Leeway), "1m"},
		{"recheck", short(c.Recheck), "30s"},
		{"when-unavailable", string(c.WhenUnavailable), "serve-confirmed"},
		{"max-stale", short(c.MaxStale), "10m"},
		{"stale-tokens", string(c.StaleTokens), "warn"},
		{"legacy-tokens", string(c.LegacyTokens), "refuse"},
		{"max-token-lifetime", short(c.MaxTokenLifetime), "24h"},
		{"token-file", c.TokenFile, "/var/run/secrets/kubernetes.io/serviceaccount/token"},
		{"drain-delay", short(c.DrainDelay), "5s"},
		{"shutdown-grace", short(c.ShutdownGrace), "25s"},
		{"limits", fmt.Sprint(c.Limits), "{1024 1024 256 100 65536 200 10s 1m30s}"},
		{"trace-sample", fmt.Sprint(c.TraceSample), "0.01"},
		{"log", c.LogLevel + c.LogFormat, "infojson"},
		{"interval", short(c.KeyRefresh.Interval), "5m"},
		{"cooldown", short(c.KeyRefresh.Cooldown), "10s"},
		{"removalPause", short(c.KeyRefresh.RemovalPause), "1m"},
		{"user", c.Headers.User, "X-Remote-User"},
	} {
		if d.got != d.want {
			t.Errorf("%s = %s, want %s", d.name, d.got, d.want)
		}
	}
	if c.TokenFileSet || c.TLS.Off || c.ForwardAuthorization || c.ForwardOddPaths || c.FinishStreams || c.Check || c.Upstream.ResponseHeaderTimeout != 0 {
		t.Errorf("something is on: %+v", c)
	}
}

// TestFlags has one flag a line, and what is said of it; "" means that it is
// good.
func TestFlags(t *testing.T) {
	for _, c := range []struct{ flag, want string }{
		{"--mode=oidc", ""},
		{"--mode=OIDC", `--mode: "OIDC" is not known: write hybrid, oidc or tokenreview`},
		{"--leeway=0", ""},
		{"--leeway=60s", ""},
		{"--leeway=61s", "--leeway: 61s is out of bounds: write 0s to 1m"},
		{"--leeway=-1s", "--leeway: -1s is out of bounds"},
		{"--leeway=60", "--leeway: 60 has no unit: write 60s"},
		{"--leeway=90", "--leeway: 90 has no unit: write 0s to 1m"},
		{"--leeway=1e1", `--leeway: "1e1" is no duration`},
		{"--leeway=nan", `--leeway: "nan" is no duration`},
		{"--recheck=1s", ""},
		{"--recheck=999ms", "--recheck: 999ms is out of bounds: write 1s to 1h"},
		{"--recheck=0s", "--recheck: 0s is out of bounds"},
		{"--recheck=", `--recheck: "" is no duration`},
		{"--max-stale=0s", ""},
		{"--max-stale=25h", "--max-stale: 25h is out of bounds: write 0s to 24h"},
		{"--drain-delay=11m", "--drain-delay: 11m is out of bounds"},
		{"--shutdown-grace=2h", "--shutdown-grace: 2h is out of bounds"},
		{"--max-connections=16", ""},
		{"--max-connections=15", "--max-connections: 15 is out of bounds: write 16 to 100000"},
		{"--max-connections=1e3", `--max-connections: "1e3" is no whole number: write 16 to 100000`},
		{"--max-connections=0100", `--max-connections: "0100" is no whole number`},
		{"--max-in-flight=100001", "--max-in-flight: 100001 is out of bounds"},
		{"--max-in-flight-per-caller=768", ""},
		{"--max-in-flight-per-caller=769", "--max-in-flight-per-caller: all callers with a good token have 768,"},
		{"--max-in-flight-per-caller=0", "--max-in-flight-per-caller: 0 is out of bounds"},
		{"--max-streams=0", "--max-streams: 0 is out of bounds"},
		{"--max-header-bytes=64KiB", `--max-header-bytes: "64KiB" is no whole number: write 20480 to 1048576`},
		{"--max-header-bytes=20479", "--max-header-bytes: 20479 is out of bounds"},
		{"--max-headers=31", "--max-headers: 31 is out of bounds"},
		{"--read-header-timeout=0s", "--read-header-timeout: 0s is out of bounds: write 1s to 5m"},
		{"--idle-timeout=2h", "--idle-timeout: 2h is out of bounds"},
		{"--when-unavailable=fail", ""},
		{"--when-unavailable=serve", `--when-unavailable: "serve" is not known`},
		{"--audience=orders", "--audience: orders is there twice"},
		{"--audience=", "--audience: this is empty"},
		{"--audience= a", `--audience: " a" begins or ends with a space`},
		{"--issuer=https://kubernetes.default.svc.cluster.local", ""},
		{"--issuer=https://kubernetes.default.svc/", ""},
		{"--issuer=http://127.0.0.1:1234", ""},
		{"--issuer=http://[::1]:1234", ""},
		{"--issuer=http://issuer", `--issuer: "http://issuer" does not begin with https://`},
		{"--issuer=HTTPS://issuer", `--issuer: "https://issuer" is not the usual form`},
		{"--issuer=https://u:secret@issuer", "--issuer: there is a user name or password in it"},
		{"--issuer=http://u:secret@issuer", `--issuer: "http://u:xxxxx@issuer" does not begin`},
		{"--issuer=https://issuer?", `--issuer: "https://issuer?" has a query or a fragment`},
		{"--issuer=https://issuer#a", `--issuer: "https://issuer#a" has a query or a fragment`},
		{"--issuer=https://", `--issuer: "" is no host`},
		{"--issuer=https://a:b:c", "--issuer: this is no URL"},
		{"--issuer=https://a b", "--issuer: there is a space, a control character or one beyond ASCII in it"},
		{"--issuer=https://issuer/a b", "--issuer: there is a space,"},
		{"--issuer=https://issuer/ ", "--issuer: there is a space,"},
		{"--issuer=https://issuer/a\n", "--issuer: there is a space, a control character"},
		{"--issuer=https://issuer/a\u0085", "--issuer: there is a space, a control character"},
		{"--issuer=https://issuer/a\u00a0b", "--issuer: there is a space,"},
		{"--issuer=https://issuer/\u200b", "--issuer: there is a space,"},
		{"--issuer=https://issuer/a%20b", ""},
		{"--issuer=kubernetes/serviceaccount", `--issuer: "kubernetes/serviceaccount" does not begin with https://`},
		{"--forward-authorization", ""},
		{"--forward-authorization=true", ""},
		{"--forward-authorization=yes", `--forward-authorization: "yes" is neither true nor false`},
		{"--odd-paths=forward", ""},
		{"--stale-tokens=refuse", ""},
		{"--stale-tokens=no", `--stale-tokens: "no" is not known: write allow, warn or refuse`},
		{"--max-token-lifetime=0s", ""},
		{"--max-token-lifetime=9000h", "--max-token-lifetime: 9000h is out of bounds: write 0s to 8760h"},
		{"--legacy-tokens=refuse", ""},
		{"--trace-endpoint=https://collector.example:4318/otlp/v1/traces", ""},
		{"--trace-endpoint=http://127.0.0.1:4318", ""},
		{"--trace-endpoint=collector:4317", `--trace-endpoint: this does not begin with http:// or https://`},
		{"--trace-endpoint=https://a:b@collector", "--trace-endpoint: there is a user name or password in it"},
		{"--trace-endpoint=https://collector?key=1", `--trace-endpoint: "https://collector?key=1" has a query or a fragment`},
		{"--trace-endpoint=https://", `--trace-endpoint: "" is no host`},
		{"--trace-sample=1", "--trace-sample: there is nowhere to send traces to: write --trace-endpoint URL"},
		{"--trace-sample=1.1", `--trace-sample: "1.1" is no share: write a number from 0 to 1, like 0.01`},
		{"--trace-sample=-0.1", `--trace-sample: "-0.1" is no share`},
		{"--trace-sample=NaN", `--trace-sample: "NaN" is no share`},
		{"--trace-sample=0x1p-2", `--trace-sample: "0x1p-2" is no share`},
		{"--trace-sample=1%", `--trace-sample: "1%" is no share`},
		{"--caller-metrics=10000", ""},
		{"--caller-metrics=10001", "--caller-metrics: 10001 is out of bounds"},
		{"--legacy-tokens=warn", "--legacy-tokens: a Secret's token is for the API server's audiences alone"},
		{"--legacy-tokens=never", `--legacy-tokens: "never" is not known`},
		{"--on-credential-end=close", ""},
		{"--on-credential-end=cut", `--on-credential-end: "cut" is not known: write close or finish`},
		{"--odd-paths=allow", `--odd-paths: "allow" is not known: write refuse or forward`},
		{"--tls=auto", ""},
		{"--tls=on", `--tls: "on" is not known: write auto or off`},
		{"--tls=off", "--tls: it is off, and yet there is a certificate"},
		{"--trusted-peers=10.0.0.0/8", ""},
		{"--trusted-peers=::1", ""},
		{"--trusted-peers=10.0.0.1/8", `--trusted-peers: "10.0.0.1/8" has bits set behind its length: write 10.0.0.0/8`},
		{"--trusted-peers=::ffff:10.0.0.0/104", `--trusted-peers: "::ffff:10.0.0.0/104" mixes IPv6 and IPv4`},
		{"--trusted-peers=fe80::1%eth0", `--trusted-peers: "fe80::1%eth0" is no network`},
		{"--trusted-peers=10.0.0.0/8,::1", `--trusted-peers: "10.0.0.0/8,::1" is no network`},
		{"--log-level=trace", `--log-level: "trace" is not known: write debug, info, warn or error`},
		{"--log-format=text", `--log-format: "text" is not known: write json or console`},
		{"--bypass-check=off", ""},
		{"--bypass-check=on", `--bypass-check: "on" is not known: write warn, fail or off`},
		{"--pod-ips=10.0.0.1,fd00::1", ""},
		{"--pod-ips=10.0.0.1,10.0.0.1", ""},
		{"--pod-ips=", ""},
		{"--pod-ips=,", `--pod-ips: "" is no IP address`},
		{"--pod-ips=10.0.0.1, fd00::1", `--pod-ips: " fd00::1" is no IP address`},
		{"--pod-ips=$(POD_IPS)", `--pod-ips: "$(POD_IPS)" was not replaced`},
		{"--pod-ips=fe80::1%eth0", `--pod-ips: "fe80::1%eth0" is no IP address`},
		{"--pod-ips=0.0.0.0", "--pod-ips: 0.0.0.0 is no pod's"},
		{"--pod-ips=::1,::2,::3,::4,::5,::6,::7,::8,::9", "--pod-ips: there are 9 of them: write at most 8"},
		{"--host-ips=10.0.0.1/8", `--host-ips: "10.0.0.1/8" is no IP address`},
		{"--upstream-ca-file=/x", "--upstream-ca-file: the app's scheme is http, which has no certificate"},
		{"--upstream-server-name=x", "--upstream-server-name: the app's scheme is http"},
		{"--upstream=http://127.0.0.1:8443", "--upstream: http://127.0.0.1:8443 is our own --listen (:8443)"},
		{"--upstream=http://localhost:9901", "--upstream: http://localhost:9901 is our own --admin-listen"},
		{"--listen=:9901", "--admin-listen: :9901 is where --listen is already (:9901)"},
		{"--listen=10.0.0.1:8443", ""},
		{"--listen=:0", ""},
		{"--admin-listen=unix:///run/a", "--admin-listen: neither probes nor"},
		{"--debug-listen=localhost:9902", ""},
		{"--debug-listen=unix:///run/debug.sock", ""},
		{"--debug-listen=[::ffff:127.0.0.1]:9902", ""},
		{"--debug-listen=:9902", "--debug-listen: :9902 is reached from other machines"},
		{"--debug-listen=0.0.0.0:9902", "--debug-listen: 0.0.0.0:9902 is reached"},
		{"--debug-listen=localhost.example:9902", "--debug-listen: localhost.example:9902 is reached"},
		{"--debug-listen=127.0.0.1:9901", "--debug-listen: 127.0.0.1:9901 is where --admin-listen is already (:9901)"},
		{"--token-file=", "--token-file: this is empty"},
		{"--public-path=/healthz", ""},
		{"--public-path=healthz", `--public-path: "healthz" does not begin with a slash`},
		{"--check", ""},
		{"--check=false", ""},
		{"--tls-key-file=/l", "--tls-key-file: it is there 2 times: write it once"},
		{"serve", `command line: "serve" is not a flag`},
		{"--", ""},
		{"--nothing-like-it", "--nothing-like-it: there is no such flag"},
		{"--adminListen=:1", "--adminListen: there is no such flag; did you mean --admin-listen?"},
		{"--audiences=a", "--audiences: there is no such flag; did you mean --audience?"},
		{"--ISSUER=a", "--ISSUER: there is no such flag; did you mean --issuer?"},
		{"--key-refresh=1s", "--key-refresh: this has no flag: write it as keyRefresh:"},
		{"--jwt", "--jwt: this has no flag"},
		{"-listen=:1", "-listen: flags have two dashes: write --listen"},
		{"-v", "-v: there is no such flag"},
		{"--upstream", "command line: flag needs an argument: --upstream"},
		{"--=x", "command line: bad flag syntax: --=x"},
	} {
		got := problems(t, append(good[:len(good):len(good)], c.flag)...)
		switch {
		case c.want == "" && len(got) > 0:
			t.Errorf("%s: %q", c.flag, got)
		case c.want != "" && (len(got) != 1 || !strings.HasPrefix(got[0], c.want)):
			t.Errorf("%s: got %q, want %q", c.flag, got, c.want)
		}
	}
}

// TestTogether has what depends on more than one flag.
func TestTogether(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"", "--audience: there is none|--listen: :8443 is reached"},
		{"--audience=a", "--listen: :8443 is reached"},
		{"--audience=a --listen=127.0.0.1:8443", ""},
		{"--audience=a --listen=127.8.9.1:8443", ""},
		{"--audience=a --listen=[::1]:8443", ""},
		{"--audience=a --listen=LOCALHOST:8443", ""},
		{"--audience=a --listen=unix:///run/s", ""},
		{"--audience=a --listen=[::]:8443", "--listen: [::]:8443 is reached"},
		{"--audience=a --listen=128.0.0.1:8443", "--listen: 128.0.0.1:8443 is reached"},
		{"--audience=a --tls=off", ""},
		{"--audience=a --tls=auto", "--listen: :8443 is reached"},
		{"--audience=a --tls=offf", "--tls: \"offf\""},
		{"--audience=a --listen=x", "--listen: \"x\" is no address"},
		{"--audience=a --tls-cert-file=/c", "--tls-cert-file: there is no key"},
		{"--audience=a --tls-key-file=/c", "--tls-key-file: there is no certificate"},
		{"--audience= --tls=off", "--audience: this is empty"},
		{"--audience=a --tls=off --mode=tokenreview --when-unavailable=fail", ""},
		{"--audience=a --tls=off --mode=tokenreview --when-unavailable=serve-verified", "--when-unavailable: in mode tokenreview"},
		{"--audience=a --tls=off --mode=hybrid --when-unavailable=serve-verified", ""},
		{"--audience=a --tls=off --upstream=https://app --upstream-ca-file=/x --upstream-server-name=y", ""},
		{"--audience=a --tls=off --debug-listen=unix:///a --upstream=unix:///a", "--upstream: unix:///a is our own --debug-listen"},
		{"--audience=a --tls=off --upstream=https://localhost --listen=:443", "--upstream: https://localhost is our own --listen"},
		{"--audience=a --tls=off --public-path=/a --public-path=/a", "--public-path: /a can never match, since /a (--public-path) comes first"},
		{"--audience=a --tls=off --bogus value --other --mode=x", "--bogus: there|--other: there|--mode: "},
		{"--bogus --audience=a --tls=off", "--bogus: there"},
		{"-bogus value --audience=a --tls=off", "-bogus: there"},
		{"--config=/nowhere --audience=a --tls=off", "--config: /nowhere cannot be read"},
		{"--config=/nowhere --config=/else --audience=a --tls=off", "--config: it is there 2 times"},
	} {
		got := problems(t, strings.Fields(c.args)...)
		var want []string
		if c.want != "" {
			want = strings.Split(c.want, "|")
		}
		ok := len(got) == len(want)
		for i := 0; ok && i < len(want); i++ {
			ok = strings.HasPrefix(got[i], want[i])
		}
		if !ok {
			t.Errorf("%s\n got %q\nwant %q", c.args, got, want)
		}
	}
}

// TestRefusalShowsTheWaysOut: the two sentences that most people meet first.
func TestRefusalShowsTheWaysOut(t *testing.T) {
	text := strings.Join(problems(t), "\n")
	for _, want := range []string{"--audience orders", "--tls-cert-file FILE --tls-key-file FILE", "--listen 127.0.0.1:8443", "--listen unix:///path", "--tls=off"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in:\n%s", want, text)
		}
	}
}

func TestWarnings(t *testing.T) {
	for _, c := range []struct{ flag, want string }{
		{"--mode=oidc", ""},
		{"--api-audience=other", ""},
		{"--api-audience=orders", "--audience: orders is the API server's audience too"},
		{"--upstream=http://10.0.0.1:80", "--upstream: http://10.0.0.1:80 is on another machine"},
		{"--upstream=https://10.0.0.1:80", ""},
		{"--upstream=h2c://[::1]:80", ""},
		{"--upstream=unix:///app.sock", ""},
		{"--trusted-peers=::/0", "--trusted-peers: ::/0 is nearly everybody"},
		{"--trusted-peers=128.0.0.0/1", "--trusted-peers: 128.0.0.0/1 is nearly everybody"},
		{"--trusted-peers=fc00::/7", ""},
		{"--when-unavailable=serve-verified", "--when-unavailable: while the API server is away"},
		{"--when-unavailable=fail", ""},
		{"--trusted-peers=10.0.0.0/8", ""},
	} {
		config, err := Load(append(good[:len(good):len(good)], c.flag))
		if err != nil {
			t.Fatal(err)
		}
		got := strings.Join(config.Warnings, "\n")
		if (c.want == "") != (got == "") || !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: %q, want %q", c.flag, got, c.want)
		}
	}
	config, err := Load([]string{"--audience=https://a", "--issuer=https://a", "--tls=off"})
	if err != nil || len(config.Warnings) != 2 {
		t.Errorf("%v, %q: want warnings for audience and tls", err, config.Warnings)
	}
}

func TestHelpAsked(t *testing.T) {
	for _, c := range []struct {
		args string
		want error
	}{
		{"--help", ErrHelp}, {"-h", ErrHelp}, {"--bogus --help", ErrHelp}, {"--mode=x -h", ErrHelp},
		{"--help=all", ErrHelpAll}, {"--audience --help", nil}, {"-- --help", nil},
	} {
		_, err := Load(strings.Fields(c.args))
		if c.want != nil && err != c.want || c.want == nil && (errors.Is(err, ErrHelp) || err == nil) {
			t.Errorf("%s: %v, want %v", c.args, err, c.want)
		}
	}
	if got := problems(t, "--help=some"); len(got) != 1 || !strings.Contains(got[0], "--help=all") {
		t.Errorf("--help=some: %q", got)
	}
}

func TestTokenFileSet(t *testing.T) {
	c, err := Load(append(good[:len(good):len(good)], "--token-file="+PodToken))
	if err != nil || !c.TokenFileSet {
		t.Errorf("%v, set = %v", err, c.TokenFileSet)
	}
}

func TestShort(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", time.Second: "1s", time.Minute: "1m", 90 * time.Second: "1m30s", time.Hour: "1h",
		time.Hour + time.Minute: "1h1m", 10 * time.Hour: "10h", 20 * time.Minute: "20m", 100 * time.Millisecond: "100ms",
	} {
		if got := short(d); got != want {
			t.Errorf("%d: %s, want %s", d, got, want)
		}
	}
}
