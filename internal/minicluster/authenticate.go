package minicluster

import (
	"strings"

	authenticationv1 "k8s.io/api/authentication/v1"
)

const (
	serviceAccounts = "system:serviceaccounts"
	authenticated   = "system:authenticated"
	anonymousUser   = "system:anonymous"
)

// A user is who the API server says it is, and the audiences that it holds the
// token to be for.
type user struct {
	info      authenticationv1.UserInfo
	audiences []string
}

func serviceAccount(namespace, account, uid string, extra map[string][]string) user {
	info := authenticationv1.UserInfo{
		Username: subject(namespace, account),
		UID:      uid,
		Groups:   []string{serviceAccounts, serviceAccounts + ":" + namespace, authenticated},
	}
	for k, v := range extra {
		if info.Extra == nil {
			info.Extra = map[string]authenticationv1.ExtraValue{}
		}
		info.Extra[k] = v
	}
	return user{info: info}
}

// authenticate says who sends an Authorization header, as the whole of the API
// server's request authentication does, and with its traps: what follows a
// second space is not looked at, and where it finds no bearer token at all it
// finds system:anonymous, for whatever audiences were asked for.
func (c *Cluster) authenticate(authorization string, audiences []string) (user, error) {
	parts := strings.SplitN(strings.TrimSpace(authorization), " ", 3)
	if len(parts) < 2 || !strings.EqualFold(parts[0], "bearer") || parts[1] == "" {
		info := authenticationv1.UserInfo{Username: anonymousUser, Groups: []string{"system:unauthenticated"}}
		return user{info, audiences}, nil
	}
	token := parts[1]
	if u, ok := c.reviewed.get(token, audiences); ok {
		return u, nil
	}
	u, err := c.authenticateToken(token, audiences)
	if err == nil {
		c.reviewed.put(token, audiences, u)
	}
	return u, err
}
