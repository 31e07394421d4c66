package scenarios

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sallyport/e2e/caller"
	"sallyport/internal/authn"
	"sallyport/internal/config"
)

// Given a gate in mode oidc, and a token that lives 18 s, signed with the
// cluster's own key and bound to a real pod,
// when the pod is deleted, so that the API server says no,
// then the gate goes on saying yes, as docs/modes.md says, until the token has
// expired.
func TestOwnRevocationInOIDC(t *testing.T) {
	g, c := deployWith(t, serving("--mode="+string(config.OIDC), "--leeway=0s")), troubledCaller(t)
	g.waitReached(t, c)
	n := newVictimSpace(t)
	victim := callingPod{account: n.addAccount(t, "victim")}
	n.addPod(t, "victim")
	victim.pod = readyPod(t, n.name, "app=victim")
	// The API server may not have seen the deletion when it is asked first. Then it says
	// yes, and remembers that for 10 s.
	expires := time.Now().Add(18 * time.Second).Truncate(time.Second)
	token := victim.sign(t, expires)
	g.admits(t, c, token, 0)

	now := int64(0)
	if err := n.core.Pods(n.name).Delete(t.Context(), "victim", metav1.DeleteOptions{GracePeriodSeconds: &now}); err != nil {
		t.Fatal(err)
	}
	if err := reviewedUntilNo(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	left := time.Until(expires)
	t.Logf("the API server says no, %.1f s before the token's end", left.Seconds())
	if left < 2*time.Second {
		t.Fatal("too late to see anything")
	}
	g.admitsUntil(t, c, caller.Request{URL: g.service + "/", Token: token}, expires)
	g.refuses(t, c, token, 0, authn.Expired)
}
