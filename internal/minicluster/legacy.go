package minicluster

import (
	"crypto/subtle"
	"errors"
	"fmt"

	"github.com/go-jose/go-jose/v4/jwt"
)

// legacyIssuer is the iss of tokens kept in Secrets (pkg/serviceaccount/legacy.go).
const legacyIssuer = "kubernetes/serviceaccount"

// CreateSecretToken makes a Secret with a token of the old kind in it: without
// an end, an audience or an id. The error says that there is no such service
// account.
func (c *Cluster) CreateSecretToken(namespace, secretName, account string) (string, error) {
	c.mu.Lock()
	o, ok := c.objects.accounts[name{namespace, account}]
	c.mu.Unlock()
	if !ok {
		return "", notFound("serviceaccounts", account)
	}
	token, err := c.Sign(nil, map[string]any{
		"iss":                                    legacyIssuer,
		"sub":                                    subject(namespace, account),
		"kubernetes.io/serviceaccount/namespace": namespace,
		"kubernetes.io/serviceaccount/secret.name":          secretName,
		"kubernetes.io/serviceaccount/service-account.name": account,
		"kubernetes.io/serviceaccount/service-account.uid":  o.uid,
	})
	if err != nil {
		return "", err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.objects.secrets[name{namespace, secretName}] = secret{object{uid: newUID()}, token}
	return token, nil
}

type legacyClaims struct {
	Namespace string `json:"kubernetes.io/serviceaccount/namespace"`
	Secret    string `json:"kubernetes.io/serviceaccount/secret.name"`
	Account   string `json:"kubernetes.io/serviceaccount/service-account.name"`
	UID       string `json:"kubernetes.io/serviceaccount/service-account.uid"`
}

// validateLegacy applies the rules for tokens kept in Secrets. Times are not
// among them, and there is no grace for what is being deleted.
func (c *Cluster) validateLegacy(token string, public *jwt.Claims, l *legacyClaims) (user, error) {
	for _, claim := range []struct{ name, value string }{
		{"sub", public.Subject}, {"namespace", l.Namespace}, {"secretName", l.Secret},
		{"serviceAccountName", l.Account}, {"serviceAccountUID", l.UID},
	} {
		if claim.value == "" {
			return user{}, fmt.Errorf("%s claim is missing", claim.name)
		}
	}
	if public.Subject != subject(l.Namespace, l.Account) {
		return user{}, errors.New("sub claim is invalid")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	s, ok := c.objects.secrets[name{l.Namespace, l.Secret}]
	if !ok || !s.deleted.IsZero() {
		return user{}, errInvalidated
	}
	if subtle.ConstantTimeCompare([]byte(s.token), []byte(token)) != 1 {
		return user{}, errors.New("service account token does not match server's copy")
	}
	a, ok := c.objects.accounts[name{l.Namespace, l.Account}]
	switch {
	case !ok:
		return user{}, notFound("serviceaccounts", l.Account)
	case !a.deleted.IsZero():
		return user{}, fmt.Errorf("service account %s/%s has been deleted", l.Namespace, l.Account)
	case a.uid != l.UID:
		return user{}, uidMismatch("service account", a.uid, l.UID)
	}
	return serviceAccount(l.Namespace, l.Account, l.UID, nil), nil
}

var errInvalidated = errors.New("service account token has been invalidated")

func uidMismatch(kind, real, claimed string) error {
	return fmt.Errorf("%s UID (%s) does not match claim (%s)", kind, real, claimed)
}
