package minicluster

import "slices"

// A Right is what a user or a group may do.
type Right string

// The rights. Kubernetes gives them with roles, named here.
const (
	// Discover is system:service-account-issuer-discovery: to read the
	// discovery document and the keys.
	Discover Right = "discover"
	// Review is the half of system:auth-delegator that we need: to create
	// tokenreviews.
	Review Right = "review"
	// Issue is to create serviceaccounts/token, which the kubelet may.
	Issue Right = "issue"
)

type grant struct {
	who   string
	right Right
}

// Grant gives a right to a user, such as system:serviceaccount:NAMESPACE:NAME,
// or to a group.
func (c *Cluster) Grant(who string, r Right) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rights[grant{who, r}] = true
}

// Revoke takes a right away. So that nobody may read the keys:
// Revoke("system:serviceaccounts", Discover).
func (c *Cluster) Revoke(who string, r Right) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.rights, grant{who, r})
}

// may reports whether the user or one of its groups has the right.
func (c *Cluster) may(u user, r Right) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.ContainsFunc(append([]string{u.info.Username}, u.info.Groups...), func(who string) bool {
		return c.rights[grant{who, r}]
	})
}
