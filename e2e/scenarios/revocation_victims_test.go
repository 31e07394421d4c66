package scenarios

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	authv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sallyport/e2e/caller"
	"sallyport/internal/authn"
)

// What the API server itself takes (kubernetes, pkg/serviceaccount/claims.go and
// pkg/kubeapiserver/options/authentication.go).
const (
	cacheTime  = 10 * time.Second // its yes is good for so long
	lingerTime = time.Minute      // an object that is being deleted counts for so long after its grace
	podEndTime = 15 * time.Second // a pod's container ends, and the kubelet removes the pod
)

// A victim is a token, and what it is bound to.
type victim struct {
	name   string
	token  string
	remove func() error
	takes  time.Duration // the API server, at most
	verdicts
	deleted time.Time
}

const apiServer = "API server"

// newVictims makes tokens that are bound to different things, in a namespace that
// goes with the test.
func newVictims(t *testing.T) []*victim {
	t.Helper()
	n := newVictimSpace(t)
	now, grace, ctx := int64(0), int64(2), t.Context()
	for _, name := range []string{"plain", "again", "bound", "forced", "graceful", "lingering"} {
		n.addAccount(t, name)
	}
	n.addPod(t, "forced")
	n.addPod(t, "graceful")
	n.addPod(t, "lingering", "sallyport.example/e2e")
	secret, err := n.core.Secrets(n.name).Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "bound"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	pods, accounts := n.core.Pods(n.name), n.core.ServiceAccounts(n.name)
	return []*victim{
		{name: "pod, by force", token: n.podToken(t, "forced"), takes: cacheTime, remove: func() error {
			return pods.Delete(ctx, "forced", metav1.DeleteOptions{GracePeriodSeconds: &now})
		}},
		{name: "pod", token: n.podToken(t, "graceful"), takes: podEndTime + cacheTime, remove: func() error {
			return pods.Delete(ctx, "graceful", metav1.DeleteOptions{})
		}},
		{name: "pod that lingers", token: n.podToken(t, "lingering"), takes: time.Duration(grace)*time.Second + lingerTime + cacheTime, remove: func() error {
			return pods.Delete(ctx, "lingering", metav1.DeleteOptions{GracePeriodSeconds: &grace})
		}},
		{name: "service account", token: n.token(t, "plain", nil), takes: cacheTime, remove: func() error {
			return accounts.Delete(ctx, "plain", metav1.DeleteOptions{})
		}},
		{name: "service account, made anew", token: n.token(t, "again", nil), takes: cacheTime, remove: func() error {
			if err := accounts.Delete(ctx, "again", metav1.DeleteOptions{}); err != nil {
				return err
			}
			_, err := accounts.Create(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "again"}}, metav1.CreateOptions{})
			return err
		}},
		{name: "Secret", token: n.token(t, "bound", &authv1.BoundObjectReference{APIVersion: "v1", Kind: "Secret", Name: secret.Name, UID: secret.UID}), takes: cacheTime, remove: func() error {
			return n.core.Secrets(n.name).Delete(ctx, secret.Name, metav1.DeleteOptions{})
		}},
	}
}

// watch has the token sent to the gates, and looked at by the API server, until
// they say no.
func (v *victim) watch(t *testing.T, c *callingPod, revokers []*revoker) {
	for _, r := range revokers {
		v.await(r.name, func() (caller.Answer, error) {
			return c.watchUntilRefused(t.Context(), r.service+v.path(), v.token)
		})
	}
	v.await(apiServer, func() (a caller.Answer, err error) { return a, reviewedUntilNo(t.Context(), v.token) })
}

// path is where the token is sent, for the log to be found by.
func (v *victim) path() string {
	return "/revoked/" + strings.NewReplacer(" ", "-", ",", "").Replace(v.name)
}

func (v *victim) delete(t *testing.T) {
	t.Helper()
	v.deleted = time.Now()
	if err := v.remove(); err != nil {
		t.Fatalf("%s: %v", v.name, err)
	}
}

// open returns how many have not said no yet.
func (v *victim) open() (n int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, verdict := range v.by {
		if verdict == nil {
			n++
		}
	}
	return n
}

// check compares when they said no with when they must have.
func (v *victim) check(t *testing.T, c *callingPod, revokers []*revoker) {
	t.Helper()
	v.mu.Lock()
	defer v.mu.Unlock()
	took := func(who string, most time.Duration) string {
		verdict := v.by[who]
		if verdict == nil {
			t.Errorf("%s deleted: %s says yes, want no after %v at most", v.name, who, most)
			return who + " never"
		}
		d := verdict.at.Sub(v.deleted)
		if verdict.err != nil || d > most || d < 0 {
			t.Errorf("%s deleted: %s says no after %v, want %v at most: %v", v.name, who, d, most, verdict.err)
		}
		return fmt.Sprintf("%s %.1f s", who, d.Seconds())
	}
	line := took(apiServer, v.takes+revocationSlack)
	for _, r := range revokers {
		line += "; " + took(r.name, v.takes+r.recheck+revocationSlack)
		if v.by[r.name] == nil {
			continue
		}
		if a := v.by[r.name].answer; a.Status != http.StatusUnauthorized || !strings.Contains(a.Header.Get("WWW-Authenticate"), "invalid_token") {
			t.Errorf("%s deleted: %s answers %v", v.name, r.name, a)
		}
		r.tells(t, v.path(), authn.Revoked)
		if a := r.with(t, c, v.token); a.Status != http.StatusUnauthorized {
			t.Errorf("%s deleted: %s answers %v later", v.name, r.name, a)
		}
	}
	t.Logf("%-26s %s", v.name, line)
}

// reviewedUntilNo asks the API server about the token until it says no. It looks
// into the same cache as for the gates.
func reviewedUntilNo(ctx context.Context, token string) error {
	for {
		review, err := world.client.AuthenticationV1().TokenReviews().Create(ctx, &authv1.TokenReview{
			Spec: authv1.TokenReviewSpec{Token: token, Audiences: []string{gateAudience}}}, metav1.CreateOptions{})
		if err != nil || !review.Status.Authenticated {
			return err
		}
		select {
		case <-time.After(250 * time.Millisecond): // a small part of what is measured
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
