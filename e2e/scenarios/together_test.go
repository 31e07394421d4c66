package scenarios

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"sallyport/e2e/caller"
	"sallyport/internal/authn"
)

// A service is an app behind its gate, which calls another one.
type service struct {
	*gate
	name     string
	audience string
}

// Given two apps behind gates, each in a namespace of its own and with a token
// for the other's audience alone,
// when each calls the other's Service,
// then each sees who the other is; with the same token it is refused at its own
// gate; and nobody reaches an app past its gate.
func TestTogether(t *testing.T) {
	t.Parallel()
	c := newCaller(t)
	orders := newService(t, "orders", "stock")
	stock := newService(t, "stock", "orders")
	for _, s := range []*service{orders, stock} {
		s.waitReady(t)
		s.waitReached(t, c)
	}
	for _, way := range []struct{ from, to *service }{{orders, stock}, {stock, orders}} {
		t.Run(way.from.name+" calls "+way.to.name, func(t *testing.T) { way.from.calls(t, way.to, c) })
		t.Run(way.from.name+" calls itself", func(t *testing.T) { way.from.callsItself(t, c) })
		t.Run("past the gate of "+way.from.name, func(t *testing.T) { way.from.standsAlone(t, c) })
	}
}

// newService deploys an app that has a token for the other's audience.
func newService(t *testing.T, name, other string) *service {
	s := &service{name: name, audience: audienceOf(name)}
	s.gate = applyWith(t, func(m *manifest) {
		m.testApp()
		m.ServiceAccount.Name = name
		m.pod().ServiceAccountName = name
		m.ClusterRoleBinding.Subjects[0].Name = name
		m.serve("--audience=" + s.audience)
		m.pod().Volumes = append(m.pod().Volumes, corev1.Volume{Name: "other", VolumeSource: corev1.VolumeSource{
			Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{{
				ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Audience: audienceOf(other), Path: path.Base(otherToken)},
			}}}}})
		m.app().VolumeMounts = append(m.app().VolumeMounts, corev1.VolumeMount{Name: "other", MountPath: path.Dir(otherToken), ReadOnly: true})
	})
	return s
}

func audienceOf(name string) string { return name + ".example" }

// user is how gates name the app.
func (s *service) user() string { return "system:serviceaccount:" + s.namespace + ":" + s.name }

// send has the app call the other one's Service with its token, and returns what
// it got. A request to an app has to be let through its gate, too.
func (s *service) send(t *testing.T, c *callingPod, to *service, path string) (got caller.Answer) {
	t.Helper()
	query := url.Values{"url": {to.service + path}, "token": {otherToken}}
	a := c.call(t, caller.Request{URL: s.service + "/call?" + query.Encode(), Token: c.request(t, s.audience)})
	if a.Status != http.StatusOK {
		t.Fatalf("%s cannot be asked: %v", s.name, a)
	}
	if err := json.Unmarshal(a.Body, &got); err != nil {
		t.Fatal(err)
	}
	return got
}

func (s *service) calls(t *testing.T, other *service, c *callingPod) {
	let := func() float64 {
		return other.metric(t, "sallyport_requests_total", `code="200"`, reasonLabel(authn.OK))
	}
	before := let()
	got := s.send(t, c, other, "/hello")
	if got.Status != http.StatusOK {
		t.Fatalf("answer: %v", got)
	}
	saw := seen(t, got)
	if saw.User != s.user() || saw.Target != "/hello" || saw.Authorization || saw.Pod != other.pod.Name {
		t.Errorf("%s saw %+v, want %s", other.name, saw, s.user())
	}
	if saw.Anonymous > 0 {
		t.Errorf("%s saw %d requests without a user", other.name, saw.Anonymous)
	}
	if let() <= before {
		t.Error("the metrics do not count it")
	}
}

func (s *service) callsItself(t *testing.T, c *callingPod) {
	before := s.metric(t, "sallyport_requests_total", `code="401"`, reasonLabel(authn.Audience))
	const path = "/to-myself"
	if got := s.send(t, c, s, path); got.Status != http.StatusUnauthorized {
		t.Errorf("answer: %v", got)
	}
	s.tells(t, path, authn.Audience)
	if n := s.metric(t, "sallyport_requests_total", `code="401"`, reasonLabel(authn.Audience)); n != before+1 {
		t.Errorf("the metrics count %v refusals, were %v", n, before)
	}
}

// standsAlone checks that the app has no other door than its gate.
func (s *service) standsAlone(t *testing.T, c *callingPod) {
	a := c.call(t, caller.Request{URL: fmt.Sprintf("http://%s:8080/", s.pod.Status.PodIP)})
	if a.Status != 0 || !strings.Contains(a.Error, "connection refused") {
		t.Errorf("answer: %v", a)
	}
}
