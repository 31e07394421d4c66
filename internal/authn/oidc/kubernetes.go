package oidc

import (
	"sallyport/internal/authn"
	"sallyport/internal/authn/jwt"
)

// ClusterAlgorithms are those that Kubernetes signs service account tokens with
// (pkg/serviceaccount/jwt.go).
var ClusterAlgorithms = []string{"RS256", "ES256", "ES384", "ES512"}

// ClusterTypes are the typ of service account tokens: none, or JWT from an
// external signer (KEP-740).
var ClusterTypes = []string{"", "jwt"}

// ServiceAccount is the identity that Kubernetes gives a service account's
// token: username, the three groups, and extra (apiserver,
// pkg/authentication/serviceaccount/util.go).
//
// The API server ignores sub and goes by kubernetes.io; we go by both, and they
// must agree.
func ServiceAccount(c *jwt.Claims) (authn.Identity, error) {
	k := c.Kubernetes
	if k.ServiceAccountSubject() == "" {
		return authn.Identity{}, authn.Refuse(authn.Claims, "kubernetes.io does not name a service account")
	}
	if c.Subject != k.ServiceAccountSubject() {
		return authn.Identity{}, authn.Refuse(authn.Claims, "sub is not the service account that kubernetes.io names")
	}
	return authn.Identity{
		Subject: c.Subject,
		UID:     k.ServiceAccount.UID,
		Groups: []string{
			"system:serviceaccounts",
			"system:serviceaccounts:" + k.Namespace,
			"system:authenticated",
		},
		Extra: extra(c),
	}, nil
}

// The keys of extra.
const (
	extraCredentialID = "authentication.kubernetes.io/credential-id"
	extraPodName      = "authentication.kubernetes.io/pod-name"
	extraPodUID       = "authentication.kubernetes.io/pod-uid"
	extraNodeName     = "authentication.kubernetes.io/node-name"
	extraNodeUID      = "authentication.kubernetes.io/node-uid"
)

func extra(c *jwt.Claims) map[string][]string {
	e := credentialID(c)
	k := c.Kubernetes
	if k.Pod.Name != "" && k.Pod.UID != "" {
		e[extraPodName] = []string{k.Pod.Name}
		e[extraPodUID] = []string{k.Pod.UID}
	}
	if k.Node.Name != "" {
		e[extraNodeName] = []string{k.Node.Name}
		if k.Node.UID != "" {
			e[extraNodeUID] = []string{k.Node.UID}
		}
	}
	return e
}

// credentialID names the token as Kubernetes does (KEP-4193).
func credentialID(c *jwt.Claims) map[string][]string {
	e := map[string][]string{}
	if c.ID != "" {
		e[extraCredentialID] = []string{"JTI=" + c.ID}
	}
	return e
}
