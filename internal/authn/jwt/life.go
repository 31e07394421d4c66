package jwt

import "time"

const (
	// renewAge is when the kubelet asks for a new token whatever the lifetime: it
	// is sooner than 80 % of one over 30 h (Kubernetes,
	// pkg/kubelet/token/token_manager.go).
	renewAge = 24 * time.Hour
	// RenewalSlack is how long after [Claims.Renewal] the file may have the old
	// token: the kubelet jitters by up to 10 s, and writes the file when it next
	// looks at the pod, every 60 to 90 s (pkg/kubelet/pod_workers.go).
	RenewalSlack = 10*time.Second + 90*time.Second
)

// WarnAfter returns kubernetes.io.warnafter, which extended tokens have, and zero
// for all others.
func (c *Claims) WarnAfter() time.Time {
	if c.Kubernetes == nil {
		return time.Time{}
	}
	return c.Kubernetes.WarnAfter
}

// End returns the earlier of exp and warnafter, or zero where there is neither.
// warnafter is the lifetime that the kubelet asked for and renews by, where the
// API server extended the token to a year.
func (c *Claims) End() time.Time {
	exp, warn := c.Expires, c.WarnAfter()
	if exp.IsZero() || !warn.IsZero() && warn.Before(exp) {
		return warn
	}
	return exp
}

// Renewal returns when the kubelet asks for the token's successor, if it is the
// token of a pod's volume: after 80 % of the lifetime, or 24 h. It is zero where
// iat or the end is absent.
func (c *Claims) Renewal() time.Time {
	end := c.End()
	if end.IsZero() || c.IssuedAt.IsZero() {
		return time.Time{}
	}
	return c.IssuedAt.Add(min(end.Sub(c.IssuedAt)/5*4, renewAge))
}
