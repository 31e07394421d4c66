package scenarios

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	authv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sallyport/e2e/caller"
	"sallyport/e2e/wait"
	"sallyport/internal/authn"
)

// tenMinutes is the shortest life that the API server grants a token.
const tenMinutes = 10 * time.Minute

// Given the example as it stands, and a caller that keeps its first token, which
// lives ten minutes,
// when the token and the leeway of a minute are over,
// then it is refused as expired, and not earlier.
func TestSlowExpiry(t *testing.T) {
	t.Parallel()
	g, c := deploy(t), newCaller(t)
	g.waitReached(t, c)
	token, expires := c.requestShort(t)
	end := expires.Add(time.Minute)
	const margin = 3 * time.Second // more than a decision takes; the clocks are a node's and ours
	err := wait.For(t.Context(), "the first token's end", time.Until(end)+margin, func(context.Context) error {
		a := g.with(t, c, token)
		switch left := time.Until(end); {
		case a.Status == http.StatusOK:
			return fmt.Errorf("good for %.0f s more", left.Seconds())
		case a.Status != http.StatusUnauthorized || left > margin:
			return wait.Stop(fmt.Errorf("%v, %v before its end", a, left))
		default:
			t.Logf("refused %v after its end and the leeway", -left.Round(10*time.Millisecond))
			return nil
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	g.told(t, end.Add(-margin), authn.Expired)
}

// Given a gate and a caller whose tokens live ten minutes, and constant load,
// when the kubelet replaces both at 80 % of that, by itself,
// then no request fails.
func TestSlowRotation(t *testing.T) {
	t.Parallel()
	g, c := deployWith(t, func(m *manifest) {
		life := int64(tenMinutes.Seconds())
		m.pod().Volumes[0].Projected.Sources[0].ServiceAccountToken.ExpirationSeconds = &life
	}), newCaller(t)
	g.waitReached(t, c)
	before, rotations := c.token(t, ownToken), g.rotations(t)
	c.startLoad(t, caller.Load{
		Request: caller.Request{URL: g.service + "/load", TokenFile: ownToken}, Workers: 4, Pause: 50 * time.Millisecond,
	})
	err := wait.For(t.Context(), "the kubelet", tenMinutes, func(context.Context) error {
		now := c.token(t, ownToken)
		if now.Fingerprint == before.Fingerprint || g.rotations(t) <= rotations {
			return errors.New("not both have a new token")
		}
		t.Logf("replaced: the caller's %v after the first", now.Issued.Sub(before.Issued))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	c.waitSent(t, c.readLoad(t).Sent+enough)
	tally := c.stopLoad(t)
	t.Logf("%d requests, %d failed, with %d tokens of the caller's", tally.Sent, tally.Failed(), len(tally.Tokens))
	if tally.Failed() > 0 || len(tally.Tokens) < 2 {
		t.Errorf("statuses %v, tokens %v: %q", tally.Statuses, tally.Tokens, tally.Problems)
	}
}

// requestShort asks for a token of ten minutes, as the kubelet does for the
// caller's file.
func (c *callingPod) requestShort(t *testing.T) (token string, expires time.Time) {
	t.Helper()
	life := int64(tenMinutes.Seconds())
	r, err := world.client.CoreV1().ServiceAccounts(c.pod.Namespace).CreateToken(t.Context(), c.account.Name,
		&authv1.TokenRequest{Spec: authv1.TokenRequestSpec{
			Audiences: []string{gateAudience}, ExpirationSeconds: &life,
			BoundObjectRef: &authv1.BoundObjectReference{APIVersion: "v1", Kind: "Pod", Name: c.pod.Name, UID: c.pod.UID},
		}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return r.Status.Token, r.Status.ExpirationTimestamp.Time
}
