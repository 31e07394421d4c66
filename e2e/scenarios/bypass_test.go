package scenarios

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"sallyport/e2e/caller"
	"sallyport/e2e/wait"
)

// Given apps that listen on all addresses, so that whoever reaches the pod gets
// past the gate with a name of their choice,
// when their pods run,
// then the gate says so, by log and metric, and with --bypass-check=fail its pod
// is never ready; and one whose app listens on loopback is ready with it.
func TestBypass(t *testing.T) {
	t.Parallel()
	c := newCaller(t)
	for _, check := range []string{"warn", "fail"} {
		t.Run(check, func(t *testing.T) {
			t.Parallel()
			g := applyWith(t, func(m *manifest) {
				m.testApp("--listen=0.0.0.0:8080")
				m.serve("--bypass-check=" + check)
			})
			g.pod = g.runningGate(t)
			const bypass = "sallyport_upstream_bypass"
			g.waitMetric(t, 0, bypass)
			a := c.raw(t, caller.Raw{Address: net.JoinHostPort(g.pod.Status.PodIP, "8080"),
				Text: "GET / HTTP/1.1\r\nHost: app\r\nX-Remote-User: system:admin\r\nConnection: close\r\n\r\n"})
			if a.Status != http.StatusOK || seen(t, a).User != "system:admin" {
				t.Errorf("past the gate: %v, so there is nothing to find", a)
			}
			at := net.JoinHostPort(g.pod.Status.PodIP, "8080")
			g.waitLogged(t, "the bypass", func(line map[string]any) bool {
				msg, _ := line["msg"].(string)
				return line["level"] == "warn" && strings.HasPrefix(msg, "the app answers past the gate")
			}, func(line map[string]any) bool { return strings.Contains(fmt.Sprint(line["at"]), at) })
			if check == "warn" {
				g.waitReady(t)
				return
			}
			g.staysUnready(t, "the app answers at ["+at+"]")
		})
	}
	t.Run("none", func(t *testing.T) {
		t.Parallel()
		g := deployWith(t, serving("--bypass-check=fail"))
		if n := g.metric(t, "sallyport_upstream_bypass"); n != 0 {
			t.Errorf("the metric is %v", n)
		}
	})
}

// staysUnready waits until both containers run and the gate is not ready, for
// this reason; the pod is not ready then, and has not been.
func (g *gate) staysUnready(t *testing.T, why string) {
	t.Helper()
	err := wait.For(t.Context(), "the app", podTime, func(context.Context) error {
		if s := containerStatus(g.look(t), "app"); s == nil || s.State.Running == nil || !s.Ready {
			return errors.New("the app is not ready")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	page, err := askDirectly(t.Context(), "GET", forward(t, &g.pod, 9901)+"/readyz", nil)
	if err == nil || !strings.Contains(string(page), why) {
		t.Errorf("/readyz: %v: %s, want 503 and %q", err, page, why)
	}
	pod := g.look(t)
	if since := readySince(pod); !since.IsZero() || isReady(pod) {
		t.Errorf("the pod is ready since %v", since)
	}
}
