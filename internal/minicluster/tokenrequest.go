package minicluster

import (
	"net/http"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	// minTTL and maxTTL bound what may be asked for, in seconds
	// (pkg/apis/authentication/validation/validation.go).
	minTTL = 600
	maxTTL = 1 << 32
)

// tokenRequest answers a TokenRequest of those that may make one.
func (c *Cluster) tokenRequest(r call) (answer, error) {
	namespace, account := r.PathValue("namespace"), r.PathValue("name")
	u, err := c.caller(r)
	if err != nil {
		return answer{}, err
	}
	if !c.may(u, Issue) {
		return answer{}, forbidden("serviceaccounts %q is forbidden: User %q cannot create resource %q in API group %q in the namespace %q",
			account, u.info.Username, "serviceaccounts/token", "", namespace)
	}
	tr := authenticationv1.TokenRequest{}
	if err := r.decode("TokenRequest", authenticationAPI, &tr); err != nil {
		return answer{}, err
	}
	req, err := c.requestOf(&tr, namespace, account)
	if err != nil {
		return answer{}, err
	}
	t, err := c.issue(req)
	if err != nil {
		return answer{}, err
	}
	tr.Kind, tr.APIVersion = "TokenRequest", authenticationAPI
	tr.Namespace, tr.Name = namespace, account
	tr.Status = authenticationv1.TokenRequestStatus{Token: t.token, ExpirationTimestamp: metav1.NewTime(t.expires)}
	return answer{code: http.StatusCreated, body: tr}, nil
}

// requestOf fills in the defaults of a TokenRequest and checks what it asks for.
func (c *Cluster) requestOf(tr *authenticationv1.TokenRequest, namespace, account string) (Request, error) {
	req := Request{Namespace: namespace, ServiceAccount: account}
	if err := c.setTTL(tr, &req); err != nil {
		return req, err
	}
	if len(tr.Spec.Audiences) == 0 {
		tr.Spec.Audiences = c.APIAudiences()
	}
	req.Audiences = tr.Spec.Audiences
	c.mu.Lock()
	defer c.mu.Unlock()
	o, ok := c.objects.accounts[name{namespace, account}]
	if ok && tr.UID != "" && string(tr.UID) != o.uid {
		return req, conflict("the UID in the token request (%s) does not match the UID of the service account (%s)", tr.UID, o.uid)
	}
	if b := tr.Spec.BoundObjectRef; b != nil {
		return req, c.bind(b, &req)
	}
	return req, nil
}

func (c *Cluster) setTTL(tr *authenticationv1.TokenRequest, req *Request) error {
	if tr.Spec.ExpirationSeconds == nil {
		seconds := int64(defaultTTL.Seconds())
		tr.Spec.ExpirationSeconds = &seconds
	}
	n := *tr.Spec.ExpirationSeconds
	switch {
	case n < minTTL && (!c.allowShortTokens || n <= 0):
		return invalid("TokenRequest.authentication.k8s.io %q is invalid: spec.expirationSeconds: Invalid value: %d: may not specify a duration less than 10 minutes", "", n)
	case n > maxTTL:
		return invalid("TokenRequest.authentication.k8s.io %q is invalid: spec.expirationSeconds: Invalid value: %d: may not specify a duration larger than 2^32 seconds", "", n)
	}
	req.TTL = time.Duration(n) * time.Second
	return nil
}

// bind notes what the token is to be bound to, and holds the reference's uid
// against the object's, where it names one and there is one. c.mu is held.
func (c *Cluster) bind(b *authenticationv1.BoundObjectReference, req *Request) error {
	n := name{req.Namespace, b.Name}
	var uid string
	switch {
	case b.APIVersion == "v1" && b.Kind == "Pod":
		req.Pod, uid = b.Name, c.objects.pods[n].uid
	case b.APIVersion == "v1" && b.Kind == "Secret":
		req.Secret, uid = b.Name, c.objects.secrets[n].uid
	case b.APIVersion == "v1" && b.Kind == "Node":
		req.Node, uid = b.Name, c.objects.nodes[b.Name].uid
	default:
		return badRequest("cannot bind token to object of type %s, Kind=%s", b.APIVersion, b.Kind)
	}
	if uid != "" && b.UID != "" && string(b.UID) != uid {
		return conflict("the UID in the bound object reference (%s) does not match the UID in record (%s). The object might have been deleted and then recreated", b.UID, uid)
	}
	return nil
}
