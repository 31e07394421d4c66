package jwt

import "cmp"

// Legacy is what a service account token says that is kept in a Secret
// (Kubernetes, pkg/serviceaccount/legacy.go). What is absent is "".
type Legacy struct {
	Namespace      string
	Secret         string
	ServiceAccount Ref
}

// Legacy reads these claims. The error is a refusal: one of them is no string.
func (c *Claims) Legacy() (l Legacy, err error) {
	const prefix = "kubernetes.io/serviceaccount/"
	var errs [4]error
	o := object(c.All)
	l.Namespace, errs[0] = o.str(prefix + "namespace")
	l.Secret, errs[1] = o.str(prefix + "secret.name")
	l.ServiceAccount.Name, errs[2] = o.str(prefix + "service-account.name")
	l.ServiceAccount.UID, errs[3] = o.str(prefix + "service-account.uid")
	return l, cmp.Or(errs[:]...)
}

// ServiceAccountSubject returns the sub that Kubernetes gives the service
// account, and "" where the claims do not name one completely.
func (l *Legacy) ServiceAccountSubject() string {
	k := Kubernetes{Namespace: l.Namespace, ServiceAccount: l.ServiceAccount}
	return k.ServiceAccountSubject()
}
