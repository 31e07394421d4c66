package scenarios

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	authv1 "k8s.io/api/authentication/v1"
	flowcontrolv1 "k8s.io/api/flowcontrol/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	restclient "k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"sallyport/e2e/caller"
	"sallyport/e2e/wait"
	"sallyport/internal/authn"
)

// Given a gate and a caller that is known,
// when the API server's priority and fairness has no place for the gate's
// reviews, and answers 429,
// then the known caller goes on and new ones get 503; and when there is place
// again, the gate decides.
func TestThrottled(t *testing.T) {
	t.Parallel()
	g, c := deployWith(t, serving("--recheck="+recheck.String())), newCaller(t)
	g.waitReached(t, c)
	known := c.request(t, gateAudience)
	g.admits(t, c, known, 0)

	schema, release := g.throttle(t)
	g.takePlace(t, schema)
	g.turnsAwayUnknown(t, c, authn.ReviewFailed)
	time.Sleep(recheck) // or the known one's confirmation is young enough
	for range 5 {
		g.promptly(t, c, caller.Request{Token: known}, http.StatusOK)
		g.promptly(t, c, caller.Request{Token: c.request(t, gateAudience)}, http.StatusServiceUnavailable)
	}
	// The review that told of the outage may just have been slow. The next tells why.
	g.waitMetric(t, 0, "sallyport_tokenreviews_total", `result="throttled"`)

	release()
	token := c.request(t, gateAudience)
	t.Logf("place given back: decides again after %v", g.admits(t, c, token, backTime).Round(100*time.Millisecond))
	g.unchanged(t)
}

// throttle puts the gate's reviews on a priority level that has no place, until
// release or the test's end.
func (g *gate) throttle(t *testing.T) (matching types.UID, release func()) {
	t.Helper()
	none := int32(0)
	flow := world.client.FlowcontrolV1()
	level := &flowcontrolv1.PriorityLevelConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: g.namespace},
		Spec: flowcontrolv1.PriorityLevelConfigurationSpec{
			Type: flowcontrolv1.PriorityLevelEnablementLimited,
			Limited: &flowcontrolv1.LimitedPriorityLevelConfiguration{
				NominalConcurrencyShares: &none, BorrowingLimitPercent: &none,
				LimitResponse: flowcontrolv1.LimitResponse{Type: flowcontrolv1.LimitResponseTypeReject},
			},
		},
	}
	schema := &flowcontrolv1.FlowSchema{
		ObjectMeta: metav1.ObjectMeta{Name: g.namespace},
		Spec: flowcontrolv1.FlowSchemaSpec{
			PriorityLevelConfiguration: flowcontrolv1.PriorityLevelConfigurationReference{Name: level.Name},
			MatchingPrecedence:         50, // before all that a cluster comes with
			Rules: []flowcontrolv1.PolicyRulesWithSubjects{{
				Subjects: []flowcontrolv1.Subject{{
					Kind:           flowcontrolv1.SubjectKindServiceAccount,
					ServiceAccount: &flowcontrolv1.ServiceAccountSubject{Namespace: g.namespace, Name: gateName},
				}},
				ResourceRules: []flowcontrolv1.ResourcePolicyRule{{
					Verbs: []string{"create"}, APIGroups: []string{"authentication.k8s.io"}, Resources: []string{"tokenreviews"}, ClusterScope: true,
				}},
			}},
		},
	}
	if _, err := flow.PriorityLevelConfigurations().Create(t.Context(), level, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := flow.PriorityLevelConfigurations().Delete(context.Background(), level.Name, metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
	schema, err := flow.FlowSchemas().Create(t.Context(), schema, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	release = sync.OnceFunc(func() {
		if err := flow.FlowSchemas().Delete(context.Background(), schema.Name, metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(release)
	return schema.UID, release
}

// takePlace sends a review in the gate's name that does not end before the test:
// a priority level without a place takes one request all the same when it has
// none.
func (g *gate) takePlace(t *testing.T, schema types.UID) {
	t.Helper()
	client, url := g.impostor(t)
	send := func(ctx context.Context, body io.Reader) (status int, flow string, err error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, body)
		if err != nil {
			return 0, "", err
		}
		req.Header.Set("Content-Type", "application/json")
		resp, err := client.Do(req)
		if err != nil {
			return 0, "", err
		}
		resp.Body.Close()
		return resp.StatusCode, resp.Header.Get(flowcontrolv1.ResponseHeaderMatchedFlowSchemaUID), nil
	}
	body, never := io.Pipe()
	t.Cleanup(func() { never.Close() })
	err := wait.For(t.Context(), "the priority level", noticeTime, func(ctx context.Context) error {
		status, flow, err := send(ctx, strings.NewReader("{}"))
		if err != nil || flow != string(schema) {
			return fmt.Errorf("a review is answered with %d, by flow schema %s: %v", status, flow, err)
		}
		answered := make(chan error, 1)
		go func() {
			status, _, err := send(t.Context(), body)
			answered <- fmt.Errorf("the place is taken: %d, %w", status, err)
		}()
		select {
		case err := <-answered:
			return err
		case <-time.After(time.Second): // a refusal comes at once
			return nil
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}

// impostor returns a client that is the gate to the API server, and the URL of
// reviews.
func (g *gate) impostor(t *testing.T) (client *http.Client, url string) {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", world.kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	r, err := world.client.CoreV1().ServiceAccounts(g.namespace).CreateToken(t.Context(), gateName, &authv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	learn(r.Status.Token)
	config = restclient.AnonymousClientConfig(config)
	config.BearerToken = r.Status.Token
	if client, err = restclient.HTTPClientFor(config); err != nil {
		t.Fatal(err)
	}
	return client, world.client.AuthenticationV1().RESTClient().Post().Resource("tokenreviews").URL().String()
}
