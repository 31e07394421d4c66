package scenarios

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"sallyport/e2e/caller"
	"sallyport/e2e/wait"
	"sallyport/internal/authn"
)

// leeway is granted after a token's end. The default is a minute; waiting for
// less of it shows the same.
const leeway = 5 * time.Second

// Given a caller that keeps a token which lives 20 s, signed with the cluster's
// own key and bound to the caller's real pod, and has opened a WebSocket with it,
// when the token and the leeway are over,
// then it is refused as expired, and not earlier; and the WebSocket is closed with
// 1008.
func TestOwnExpiry(t *testing.T) {
	g, c := deployWith(t, func(m *manifest) { m.testApp(); m.serve("--leeway=" + leeway.String()) }), newCaller(t)
	g.waitReached(t, c)
	expires := time.Now().Add(20 * time.Second).Truncate(time.Second)
	request := caller.Request{URL: g.service + "/", Token: c.sign(t, expires)}
	if a := c.call(t, request); a.Status != http.StatusOK {
		t.Fatalf("a fresh token: %v", a)
	}
	ends := c.opens(t, g, caller.Socket{Token: request.Token}, c.user())
	g.admitsUntil(t, c, request, expires.Add(leeway))
	ends(endSlack).is(t, policyViolation, "the credential has expired")
	t.Logf("the WebSocket was closed %v after its time", time.Since(expires.Add(leeway)).Round(time.Millisecond))
	g.endedFor(t, authn.Expired)
	path := "/" + c.pod.Namespace + "/expired"
	c.call(t, caller.Request{URL: g.service + path, Token: request.Token})
	g.tells(t, path, authn.Expired)
}

// admitsUntil sends the request again and again, which must be let through until
// the time has come and no longer.
func (g *gate) admitsUntil(t *testing.T, c *callingPod, request caller.Request, end time.Time) {
	t.Helper()
	// More than a decision takes, and the clocks are the same.
	const margin = 3 * time.Second
	err := wait.For(t.Context(), "the token's end", time.Until(end.Add(margin)), func(context.Context) error {
		a := c.call(t, request)
		switch now := time.Now(); {
		case a.Status == http.StatusOK:
			return fmt.Errorf("good for %.0f s more", time.Until(end).Seconds())
		case a.Status != http.StatusUnauthorized:
			return wait.Stop(fmt.Errorf("answer: %v", a))
		case now.Before(end):
			return wait.Stop(fmt.Errorf("refused %v too early: %v", end.Sub(now), a))
		default:
			t.Logf("refused %v after its time", now.Sub(end).Round(time.Millisecond))
			return nil
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}
