package minicluster

import (
	"slices"
	"time"
)

const (
	// defaultTTL is what TokenRequest and projected volumes default to
	// (pkg/apis/authentication/v1/defaults.go).
	defaultTTL = time.Hour
	// extendable is the one lifetime that is extended, and extended is to what
	// (pkg/serviceaccount/claims.go). Automounted tokens ask for it.
	extendable = 3607 * time.Second
	extended   = 365 * 24 * time.Hour
)

// A Request asks for a bound service account token.
type Request struct {
	Namespace, ServiceAccount string
	// Audiences default to the API server's own.
	Audiences []string
	// TTL defaults to an hour. It is not held against any limit; a negative one
	// makes a token that has expired.
	TTL time.Duration
	// Pod, Secret or Node is what the token is bound to: one of them, or none.
	Pod, Secret, Node string
}

// An issued token and when the API server says that it expires, which for an
// extended one is a year too early.
type issued struct {
	token   string
	expires time.Time
}

// Token issues a token as TokenRequest does. The error names the object that is
// missing.
func (c *Cluster) Token(r Request) (string, error) {
	t, err := c.issue(r)
	return t.token, err
}

func (c *Cluster) issue(r Request) (issued, error) {
	claims, err := c.Claims(r)
	if err != nil {
		return issued{}, err
	}
	token, err := c.Sign(nil, claims)
	iat := claims["iat"].(int64)
	return issued{token, time.Unix(iat, 0).Add(r.ttl())}, err
}

func (r Request) ttl() time.Duration {
	if r.TTL == 0 {
		return defaultTTL
	}
	return r.TTL
}

// Claims returns the claims that [Cluster.Token] would sign, to be changed and
// given to [Cluster.Sign]. Times are int64, aud is a []string, and
// "kubernetes.io" a map[string]any.
func (c *Cluster) Claims(r Request) (map[string]any, error) {
	private, err := c.privateClaims(r)
	if err != nil {
		return nil, err
	}
	api := c.APIAudiences()
	if len(r.Audiences) == 0 {
		r.Audiences = api
	}
	now, ttl := time.Now(), r.ttl()
	if r.Pod != "" && ttl == extendable && subset(r.Audiences, api) {
		private["warnafter"] = now.Add(ttl).Unix()
		ttl = extended
	}
	return map[string]any{
		"aud":           r.Audiences,
		"exp":           now.Add(ttl).Unix(),
		"iat":           now.Unix(),
		"iss":           c.Issuers()[0],
		"jti":           newUID(),
		"kubernetes.io": private,
		"nbf":           now.Unix(),
		"sub":           subject(r.Namespace, r.ServiceAccount),
	}, nil
}

func subject(namespace, account string) string {
	return "system:serviceaccount:" + namespace + ":" + account
}

func subset(small, big []string) bool {
	return !slices.ContainsFunc(small, func(s string) bool { return !slices.Contains(big, s) })
}

// privateClaims is the claim "kubernetes.io": the objects that the token
// belongs to, which have to exist.
func (c *Cluster) privateClaims(r Request) (map[string]any, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	account, ok := c.objects.accounts[name{r.Namespace, r.ServiceAccount}]
	if !ok {
		return nil, notFound("serviceaccounts", r.ServiceAccount)
	}
	private := map[string]any{
		"namespace":      r.Namespace,
		"serviceaccount": ref(r.ServiceAccount, account.uid),
	}
	switch {
	case r.Pod != "":
		p, ok := c.objects.pods[name{r.Namespace, r.Pod}]
		if !ok {
			return nil, notFound("pods", r.Pod)
		}
		if p.account != r.ServiceAccount {
			return nil, badRequest("cannot bind token for serviceaccount %q to pod running with serviceaccount %q", r.ServiceAccount, p.account)
		}
		private["pod"] = ref(r.Pod, p.uid)
		if p.node != "" {
			// A node that does not exist has a name and no uid.
			private["node"] = ref(p.node, c.objects.nodes[p.node].uid)
		}
	case r.Secret != "":
		s, ok := c.objects.secrets[name{r.Namespace, r.Secret}]
		if !ok {
			return nil, notFound("secrets", r.Secret)
		}
		private["secret"] = ref(r.Secret, s.uid)
	case r.Node != "":
		n, ok := c.objects.nodes[r.Node]
		if !ok {
			return nil, notFound("nodes", r.Node)
		}
		private["node"] = ref(r.Node, n.uid)
	}
	return private, nil
}

func ref(name, uid string) map[string]any {
	if uid == "" {
		return map[string]any{"name": name}
	}
	return map[string]any{"name": name, "uid": uid}
}
