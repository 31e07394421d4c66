package inspect

import (
	"sallyport/internal/authn"
	"sallyport/internal/authn/jwt"
)

// A Kind is what a token says that it is.
type Kind string

// The kinds. Those of Kubernetes are in pkg/serviceaccount/claims.go and
// legacy.go; nobody has checked that it is a Kubernetes that says so.
const (
	Pod        Kind = "pod-bound"
	Extended   Kind = "extended" // of a pod, stretched to a year
	Node       Kind = "node-bound"
	Secret     Kind = "secret-bound"
	Webhook    Kind = "webhook-bound" // KEP-6060
	Unbound    Kind = "unbound"
	Legacy     Kind = "legacy" // kept in a Secret, without an end
	Foreign    Kind = "foreign"
	Unreadable Kind = "unreadable"
)

// words is the kind in a headline.
var words = map[Kind]string{
	Pod:        "A service account token, bound to a pod",
	Extended:   "A service account token, bound to a pod, and stretched to a year by the API server",
	Node:       "A service account token, bound to a node",
	Secret:     "A service account token, bound to a Secret",
	Webhook:    "A service account token of an API server that calls a webhook",
	Unbound:    "A service account token, bound to nothing but its service account",
	Legacy:     "A service account token of the old kind: kept in a Secret, without an end",
	Foreign:    "A token of an issuer other than a Kubernetes cluster",
	Unreadable: "No token that can be read",
}

// legacyPrefix begins the claims of a token kept in a Secret.
const legacyPrefix = "kubernetes.io/serviceaccount/"

func kindOf(p *parts, c *jwt.Claims) Kind {
	k := c.Kubernetes
	switch {
	case c.Issuer == jwt.LegacyIssuer || p.claims[legacyPrefix+"secret.name"] != nil:
		return Legacy
	case k == nil && p.claims == nil:
		return Unreadable
	case k == nil:
		return Foreign
	case k.Pod.Name != "" && !k.WarnAfter.IsZero():
		return Extended
	case k.Pod.Name != "":
		return Pod
	case k.Secret.Name != "":
		return Secret
	case k.Node.Name != "":
		return Node
	case webhook(p) != nil:
		return Webhook
	}
	return Unbound
}

// boundTo lists what the token belongs to. The node of a pod's token is told
// too, although the token does not die with it.
func boundTo(p *parts, c *jwt.Claims) (out []Object) {
	add := func(kind string, r jwt.Ref) {
		if r.Name != "" {
			out = append(out, Object{kind, authn.Redact(r.Name), authn.Redact(r.UID)})
		}
	}
	if k := c.Kubernetes; k != nil {
		add("namespace", jwt.Ref{Name: k.Namespace})
		add("serviceaccount", k.ServiceAccount)
		add("pod", k.Pod)
		add("secret", k.Secret)
		add("node", k.Node)
		for kind, r := range webhook(p) {
			add(kind, r)
		}
		return out
	}
	legacy := func(name string) string { return str(p.claims[legacyPrefix+name]) }
	add("namespace", jwt.Ref{Name: legacy("namespace")})
	add("serviceaccount", jwt.Ref{Name: legacy("service-account.name"), UID: legacy("service-account.uid")})
	add("secret", jwt.Ref{Name: legacy("secret.name")})
	return out
}

// webhook is the configuration that a webhook's token is bound to.
func webhook(p *parts) map[string]jwt.Ref {
	k, _ := p.claims["kubernetes.io"].(map[string]any)
	for _, name := range []string{"validatingwebhookconfiguration", "mutatingwebhookconfiguration"} {
		if v, ok := k[name]; ok {
			return map[string]jwt.Ref{name: ref(v)}
		}
	}
	return nil
}
