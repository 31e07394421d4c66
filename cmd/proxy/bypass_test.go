package main

import (
	"net"
	"net/http"
	"strings"
	"testing"

	"sallyport/internal/config"
)

// podIP stands for the pod's address.
const podIP = "127.0.0.9"

// appAt serves an echo on loopback, and on the pod's address too if it is told to.
func appAt(t *testing.T, past bool) (port string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	_, port, _ = net.SplitHostPort(l.Addr().String())
	listeners := []net.Listener{l}
	if past {
		l, err := net.Listen("tcp", net.JoinHostPort(podIP, port))
		must(t, err)
		listeners = append(listeners, l)
	}
	for _, l := range listeners {
		s := &http.Server{Handler: echoHandler()}
		go s.Serve(l)
		t.Cleanup(func() { s.Close() })
	}
	return port
}

// A caller goes past the gate to an app that listens everywhere, and says who it
// is: gabi#164. No gate can stop it; ours says so.
func TestBypass(t *testing.T) {
	t.Parallel()
	for _, check := range []string{"fail", "warn"} {
		t.Run(check, func(t *testing.T) {
			t.Parallel()
			port := appAt(t, true)
			w := start(t, "--upstream=http://127.0.0.1:"+port, "--pod-ips="+podIP, "--bypass-check="+check)
			if a := w.get("", "X-Remote-User", "system:admin"); a.code != http.StatusUnauthorized {
				t.Errorf("through the gate: %d", a.code)
			}
			req, err := http.NewRequest(http.MethodGet, "http://"+net.JoinHostPort(podIP, port), nil)
			must(t, err)
			req.Header.Set("X-Remote-User", "system:admin")
			if a := w.do(http.DefaultClient, req); !strings.Contains(a.body, "system:admin") {
				t.Errorf("the attack does not work, so nothing has to be found: %d %s", a.code, a.body)
			}
			w.eventually("found", func() bool { return w.metric("sallyport_upstream_bypass") == "1" })
			code, body := w.admin("/readyz")
			if check == "warn" && code != http.StatusOK {
				t.Errorf("warn: /readyz is %d %s", code, body)
			}
			if at := net.JoinHostPort(podIP, port); check == "fail" && (code != http.StatusServiceUnavailable || !strings.Contains(body, at)) {
				t.Errorf("fail: /readyz is %d %s, want 503 and %s", code, body, at)
			}
			const told = "answers past the gate" // a moment after it is known
			w.eventually("told", func() bool { return strings.Contains(w.log.String(), told) })
			if n := strings.Count(w.log.String(), told); n != 1 {
				t.Errorf("told %d times, want once", n)
			}
			w.want(http.StatusOK, w.token())
		})
	}
}

func TestNoBypass(t *testing.T) {
	t.Parallel()
	w := start(t, "--upstream=http://127.0.0.1:"+appAt(t, false), "--pod-ips="+podIP, "--bypass-check=fail")
	w.eventually("looked", func() bool { return w.metric("sallyport_upstream_bypass") == "0" })
	if code, body := w.admin("/readyz"); code != http.StatusOK {
		t.Errorf("/readyz is %d %s", code, body)
	}
}

// The answer of a listener of ours is no bypass.
func TestBypassCheckKnowsItsGate(t *testing.T) {
	t.Parallel()
	port := appAt(t, false)
	w := start(t, "--upstream=http://127.0.0.1:"+port, "--listen="+net.JoinHostPort(podIP, port), "--pod-ips="+podIP, "--bypass-check=fail")
	w.want(http.StatusOK, w.token())
	if code, body := w.admin("/readyz"); code != http.StatusOK || w.metric("sallyport_upstream_bypass") != "" {
		t.Errorf("/readyz is %d %s, and the metric %q", code, body, w.metric("sallyport_upstream_bypass"))
	}
	if n := strings.Count(w.log.String(), "bypass check skipped"); n != 1 || !strings.Contains(w.log.String(), "a listener of our own") {
		t.Errorf("said %d times: %s", n, w.log.tail())
	}
}

func TestNoBypassCheck(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ flags, want string }{
		{"", "--pod-ips has no address"},
		{"--pod-ips=", "--pod-ips has no address"},
		{"--pod-ips=10.1.2.3", ""},
		{"--pod-ips=10.1.2.3,fd00::3 --host-ips=10.0.0.1,fd00::1", ""},
		{"--pod-ips=10.0.0.1,fd00::1 --host-ips=10.0.0.1,fd00::1", "hostNetwork"},
		{"--pod-ips=10.1.2.3 --bypass-check=off", "off"},
		{"--pod-ips=10.1.2.3 --upstream=unix:///run/app", "unix socket"},
		{"--pod-ips=10.1.2.3 --upstream=https://app.shop.svc", "not on loopback"},
		{"--pod-ips=10.1.2.3 --upstream=http://localhost", ""},
	} {
		c, err := config.Load(append([]string{"--audience=a", "--tls=off"}, strings.Fields(tc.flags)...))
		must(t, err)
		if why := noBypassCheck(c); (why == "") != (tc.want == "") || !strings.Contains(why, tc.want) {
			t.Errorf("%q: %q, want %q", tc.flags, why, tc.want)
		}
	}
}

// Where nobody looks, that is said once.
func TestBypassCheckSkipped(t *testing.T) {
	t.Parallel()
	w := start(t)
	if n := strings.Count(w.log.String(), "bypass check skipped"); n != 1 || w.metric("sallyport_upstream_bypass") != "" {
		t.Errorf("said %d times, and the metric is %q", n, w.metric("sallyport_upstream_bypass"))
	}
}
