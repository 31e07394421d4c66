package scenarios

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	authv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sallyport/internal/authn"
)

// An explanation and an inspection are what the commands say as JSON, as far as it
// matters.
type (
	explanation struct {
		Verdict string
		Reason  authn.Reason
		Status  int
		Caller  struct{ Subject string }
	}
	inspection struct {
		Kind, Refused, Subject              string
		Issued, Renewal, WarnAfter, Expires time.Time
		File                                struct {
			Data, Mode string
			User       int
			Written    time.Time
		}
		Findings []struct{ Name string }
	}
)

// Given the example and a caller,
// when a token is explained in the gate's container,
// then it says what the gate does with it.
func TestExplain(t *testing.T) {
	t.Parallel()
	g, c := deploy(t), newCaller(t)
	g.waitReached(t, c)
	good := c.request(t, gateAudience)
	for _, tc := range []struct {
		name, token string
		code        int
		reason      authn.Reason
	}{
		{"good", good, 0, authn.OK},
		{"another audience", c.request(t, "another.example"), 1, authn.Audience},
		{"the API server's", c.request(t, gateAudience, clusterIssuer(t)), 1, authn.APIAudience},
		{"forged", renamed(t, good), 1, authn.Signature},
		{"legacy", c.legacy(t), 1, authn.Legacy},
		{"torn", good[:len(good)/2], 1, authn.Malformed},
	} {
		var r explanation
		code := g.exec(t, &r, tc.token, "explain")
		if code != tc.code || r.Reason != tc.reason {
			t.Errorf("%s: exit %d, %+v", tc.name, code, r)
		}
		status := r.Status
		if r.Verdict == "accepted" {
			status = http.StatusOK
		}
		if a := g.with(t, c, tc.token); a.Status != status {
			t.Errorf("%s: explained %d, and answered %v", tc.name, status, a)
		}
		if tc.code == 0 && r.Caller.Subject != "system:serviceaccount:"+c.pod.Namespace+":caller" {
			t.Errorf("%s: %+v", tc.name, r.Caller)
		}
	}
	var r explanation
	if code := g.exec(t, &r, "", "explain", "--path=/healthz"); code != 0 || r.Reason != authn.Public {
		t.Errorf("the probes' path: exit %d, %+v", code, r)
	}
}

// legacy returns the token of the caller's Secret.
func (c *callingPod) legacy(t *testing.T) string {
	t.Helper()
	s, err := world.client.CoreV1().Secrets(c.pod.Namespace).Get(t.Context(), "legacy", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	token := string(s.Data["token"])
	learn(token)
	return token
}

// Given tokens of each kind that a cluster gives,
// when they are inspected in the gate's container, its own by the volume and
// others from standard input,
// then each is told for what it is.
func TestInspect(t *testing.T) {
	t.Parallel()
	g, c := deploy(t), newCaller(t)
	var own inspection
	if code := g.exec(t, &own, "", "inspect", "/var/run/secrets/kubernetes.io/serviceaccount"); code != 0 {
		t.Errorf("exit %d", code)
	}
	f := own.File
	if own.Kind != "pod-bound" || own.Subject != "system:serviceaccount:"+g.namespace+":example" ||
		f.Mode != "0600" || f.User != 65532 || !strings.HasPrefix(f.Data, "..20") || time.Since(f.Written) > time.Since(g.pod.CreationTimestamp.Time)+time.Minute {
		t.Errorf("%+v, file %+v", own, f)
	}
	if life := own.Renewal.Sub(own.Issued); life != 48*time.Minute {
		t.Errorf("renewed after %v", life)
	}
	for _, tc := range []struct {
		name, token string
		kind        string
		findings    []string
	}{
		{"pod's", c.request(t, gateAudience), "pod-bound", nil},
		{"extended", c.lasting(t, 3607), "extended", []string{"api_audience", "extended"}},
		{"for the API server", c.request(t), "pod-bound", []string{"api_audience"}},
		{"legacy", c.legacy(t), "legacy", []string{"legacy"}},
	} {
		var r inspection
		code := g.exec(t, &r, tc.token, "inspect")
		var names []string
		for _, f := range r.Findings {
			names = append(names, f.Name)
		}
		if code != 0 || r.Kind != tc.kind || r.Refused != "" || !slices.Equal(names, tc.findings) {
			t.Errorf("%s: exit %d, %s, findings %v, refused %q", tc.name, code, r.Kind, names, r.Refused)
		}
		if tc.kind == "extended" && (r.WarnAfter.Sub(r.Issued) != 3607*time.Second || r.Expires.Sub(r.Issued) != 365*24*time.Hour) {
			t.Errorf("%s: %+v", tc.name, r)
		}
	}
}

// lasting is request for the API server's audience and so many seconds.
func (c *callingPod) lasting(t *testing.T, seconds int64) string {
	t.Helper()
	r, err := world.client.CoreV1().ServiceAccounts(c.pod.Namespace).CreateToken(t.Context(), c.account.Name,
		&authv1.TokenRequest{Spec: authv1.TokenRequestSpec{
			ExpirationSeconds: &seconds,
			BoundObjectRef:    &authv1.BoundObjectReference{APIVersion: "v1", Kind: "Pod", Name: c.pod.Name, UID: c.pod.UID},
		}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	learn(r.Status.Token)
	return r.Status.Token
}
