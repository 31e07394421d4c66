package jwt

import (
	"time"

	"github.com/go-json-experiment/json"

	"sallyport/internal/authn"
)

// kubernetesClaim is Kubernetes' private claim (pkg/serviceaccount/claims.go).
const kubernetesClaim = "kubernetes.io"

// Kubernetes is what a service account token says of the objects that it
// belongs to. A Ref of an object that is not named is zero.
type Kubernetes struct {
	Namespace      string
	ServiceAccount Ref
	Pod            Ref
	Secret         Ref
	Node           Ref
	// WarnAfter is when a token that was extended to a year should have been
	// replaced; zero for all others.
	WarnAfter time.Time
}

// A Ref names an object.
type Ref struct {
	Name string `json:"name"`
	UID  string `json:"uid"`
}

func parseKubernetes(claims object) (*Kubernetes, error) {
	v, ok := claims[kubernetesClaim]
	if !ok {
		return nil, nil
	}
	var k struct {
		Namespace      string `json:"namespace"`
		ServiceAccount Ref    `json:"serviceaccount"`
		Pod            Ref    `json:"pod"`
		Secret         Ref    `json:"secret"`
		Node           Ref    `json:"node"`
	}
	if v.Kind() != '{' || json.Unmarshal(v, &k) != nil {
		return nil, authn.Refuse(authn.Claims, "%q is not what Kubernetes writes", kubernetesClaim)
	}
	inner, err := parseObject(kubernetesClaim, v, nil)
	if err != nil {
		return nil, err
	}
	warn, err := inner.time("warnafter")
	if err != nil {
		return nil, err
	}
	return &Kubernetes{k.Namespace, k.ServiceAccount, k.Pod, k.Secret, k.Node, warn}, nil
}

// ServiceAccountSubject returns the sub that Kubernetes gives the service
// account, and "" where the claims do not name one completely.
func (k *Kubernetes) ServiceAccountSubject() string {
	if k == nil || k.Namespace == "" || k.ServiceAccount.Name == "" {
		return ""
	}
	return "system:serviceaccount:" + k.Namespace + ":" + k.ServiceAccount.Name
}
