package scenarios

import (
	"context"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sallyport/internal/authn"
)

// Given a gate and a caller that is not known,
// when the gate's rights are taken away,
// then it answers 503, and the log says whose rights they are; and when they are
// given back, it decides.
func TestPermission(t *testing.T) {
	t.Parallel()
	g, c := deployWith(t, serving("--recheck="+recheck.String())), newCaller(t)
	g.waitReached(t, c)
	token := c.request(t, gateAudience)
	bindings := world.client.RbacV1().ClusterRoleBindings()
	binding, err := bindings.Get(t.Context(), g.binding, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := bindings.Delete(t.Context(), g.binding, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	binding.ResourceVersion = ""

	g.turnsAwayUnknown(t, c, authn.ReviewForbidden)
	if n := g.metric(t, "sallyport_tokenreviews_total", `result="forbidden"`); n == 0 {
		t.Error("the metrics know of no forbidden review")
	}
	g.waitLogged(t, "whose rights they are", func(line map[string]any) bool { return line["level"] == "error" && loggedSince(line, began) },
		func(line map[string]any) bool {
			cause, _ := line["cause"].(string)
			return strings.Contains(cause, "our service account may not create tokenreviews")
		})

	if _, err := bindings.Create(context.WithoutCancel(t.Context()), binding, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Logf("rights given back: decides again after %v", g.admits(t, c, token, backTime).Round(100*time.Millisecond))
	g.unchanged(t)
}

// turnsAwayUnknown waits until the gate answers 503 to tokens that it has never
// seen: the API server may go by the old rights for a moment, and a token that
// was let in then is known.
func (g *gate) turnsAwayUnknown(t *testing.T, c *callingPod, reason authn.Reason) {
	t.Helper()
	for deadline := time.Now().Add(noticeTime); ; {
		token := c.request(t, gateAudience)
		if a := g.with(t, c, token); a.Status == 503 || time.Now().After(deadline) {
			g.turnsAway(t, c, token, 0, reason)
			return
		}
	}
}
