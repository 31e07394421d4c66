package minicluster

import (
	"errors"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4/jwt"
)

// leeway is granted on exp, nbf and iat, and to objects that are being deleted
// (pkg/serviceaccount/claims.go, by way of go-jose's default).
const leeway = time.Minute

type boundClaims struct {
	Kubernetes struct {
		Namespace      string    `json:"namespace"`
		ServiceAccount claimRef  `json:"serviceaccount"`
		Pod            *claimRef `json:"pod"`
		Secret         *claimRef `json:"secret"`
		Node           *claimRef `json:"node"`
	} `json:"kubernetes.io"`
}

type claimRef struct {
	Name string `json:"name"`
	UID  string `json:"uid"`
}

// validateBound applies the rules for TokenRequest's tokens. Who it is comes
// from the claim "kubernetes.io": sub is not looked at, and an exp that is
// absent is no fault.
func (c *Cluster) validateBound(public *jwt.Claims, b *boundClaims) (user, error) {
	now := time.Now()
	if err := checkTimes(public, now); err != nil {
		return user{}, err
	}
	if err := c.checkObjects(b, now.Add(-leeway)); err != nil {
		return user{}, err
	}
	k := b.Kubernetes
	return serviceAccount(k.Namespace, k.ServiceAccount.Name, k.ServiceAccount.UID, extra(public.ID, k.Pod, k.Node)), nil
}

func checkTimes(public *jwt.Claims, now time.Time) error {
	err := public.ValidateWithLeeway(jwt.Expected{Time: now}, leeway)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, jwt.ErrExpired):
		return errors.New("service account token has expired")
	case errors.Is(err, jwt.ErrNotValidYet):
		return errors.New("service account token is not valid yet")
	default:
		return errors.New("service account token is issued in the future")
	}
}

// checkObjects checks that everything that the token belongs to exists, is the
// very same object, and was not to be gone by the given time.
func (c *Cluster) checkObjects(b *boundClaims, goneBy time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := b.Kubernetes
	account, ok := c.objects.accounts[name{k.Namespace, k.ServiceAccount.Name}]
	switch {
	case !ok:
		return notFound("serviceaccounts", k.ServiceAccount.Name)
	case account.goneBefore(goneBy):
		return fmt.Errorf("service account %s/%s has been deleted", k.Namespace, k.ServiceAccount.Name)
	case account.uid != k.ServiceAccount.UID:
		return uidMismatch("service account", account.uid, k.ServiceAccount.UID)
	}
	if k.Secret != nil {
		s, ok := c.objects.secrets[name{k.Namespace, k.Secret.Name}]
		if err := s.check("secret", ok, k.Secret.UID, goneBy); err != nil {
			return err
		}
	}
	if k.Pod != nil {
		p, ok := c.objects.pods[name{k.Namespace, k.Pod.Name}]
		return p.check("pod", ok, k.Pod.UID, goneBy)
	}
	// The node of a pod's token is only passed on.
	if k.Node != nil {
		n, ok := c.objects.nodes[k.Node.Name]
		return n.check("node", ok, k.Node.UID, goneBy)
	}
	return nil
}

func (o object) check(kind string, found bool, uid string, goneBy time.Time) error {
	if !found || o.goneBefore(goneBy) {
		return errInvalidated
	}
	if o.uid != uid {
		return uidMismatch(kind, o.uid, uid)
	}
	return nil
}

func (o object) goneBefore(t time.Time) bool { return !o.deleted.IsZero() && o.deleted.Before(t) }

// extra is what the API server tells of a token beside the user
// (apiserver, pkg/authentication/serviceaccount/util.go).
func extra(jti string, pod, node *claimRef) map[string][]string {
	const domain = "authentication.kubernetes.io/"
	x := map[string][]string{}
	if jti != "" {
		x[domain+"credential-id"] = []string{"JTI=" + jti}
	}
	if pod != nil && pod.Name != "" && pod.UID != "" {
		x[domain+"pod-name"] = []string{pod.Name}
		x[domain+"pod-uid"] = []string{pod.UID}
	}
	if node != nil && node.Name != "" {
		x[domain+"node-name"] = []string{node.Name}
		if node.UID != "" {
			x[domain+"node-uid"] = []string{node.UID}
		}
	}
	return x
}
