package doctor

import (
	"strings"
	"time"

	"sallyport/internal/authn"
	"sallyport/internal/authn/jwt"
	"sallyport/internal/span"
	"sallyport/internal/tokenfile"
)

// projection is how our own token is asked for, in words.
const projection = "a projected serviceAccountToken with expirationSeconds: 3600 and no audience, in a volume of its own, as in deploy/sidecar.yaml"

// OwnToken judges our own token. The claims are nil where there is none.
func OwnToken(s tokenfile.Status, c *jwt.Claims, path string, now time.Time) []Line {
	if c == nil {
		return []Line{line(Failed, "there is none: %s", authn.Redact(s.LastError)).fix("mount %s at %s", projection, authn.Redact(path))}
	}
	lines := []Line{age(s, c, path, now)}
	if s.LastError != "" {
		lines = append(lines, line(Warning, "the file is not good any more: %s", s.LastError))
	}
	if !s.WarnAfter.IsZero() {
		lines = append(lines, line(Warning, "it was asked for with 3607 s, which the API server stretches to a year").
			fix("write expirationSeconds: 3600 in its projection"))
	}
	return lines
}

func age(s tokenfile.Status, c *jwt.Claims, path string, now time.Time) Line {
	end := c.End()
	switch {
	case end.IsZero():
		return line(Warning, "%s, without an end: whoever gets hold of it has it for ever", c.Subject).fix("mount %s", projection)
	case !s.Expires.IsZero() && !now.Before(s.Expires):
		return line(Failed, "it expired %s ago, and the kubelet has not replaced it", span.Text(now.Sub(s.Expires))).
			fix("look at the kubelet of this node and at the events of this pod: another source of its volume may fail, or %s is mounted with subPath", path)
	case s.State != tokenfile.Fresh:
		return line(Warning, "the kubelet should have replaced it %s ago; it expires %s", span.Text(now.Sub(c.Renewal())), span.Relative(s.Expires, now)).
			fix("look at the kubelet of this node and at the events of this pod: another source of its volume may fail, or %s is mounted with subPath", path)
	}
	return line(OK, "%s, for %s; issued %s, renewed %s, expires %s", c.Subject, strings.Join(c.Audience, " and "),
		span.Relative(c.IssuedAt, now), span.Relative(c.Renewal(), now), span.Relative(s.Expires, now))
}

// A Subject is whom rights are granted to, in kubectl's words.
type Subject string

// SubjectOf returns the subject of our own token, or of a kubeconfig's
// credentials where there is none.
func SubjectOf(c *jwt.Claims) Subject {
	if c == nil || c.Kubernetes.ServiceAccountSubject() == "" {
		return "--user=USER-OF-THE-KUBECONFIG"
	}
	return Subject("--serviceaccount=" + c.Kubernetes.Namespace + ":" + c.Kubernetes.ServiceAccount.Name)
}

// binding names what it grants and to whom, as kubectl wants a name.
func (s Subject) binding(what string) string {
	_, who, _ := strings.Cut(string(s), "=")
	return "sallyport-" + what + "-" + strings.ToLower(strings.ReplaceAll(who, ":", "-"))
}

// mayReview is the command that grants what reviews need, and no more.
func (s Subject) mayReview() string {
	return "kubectl create clusterrole sallyport-tokenreview --verb=create --resource=tokenreviews.authentication.k8s.io; " +
		"kubectl create clusterrolebinding " + s.binding("tokenreview") + " --clusterrole=sallyport-tokenreview " + string(s)
}

// mayDiscover is the one for the discovery document and the keys.
func (s Subject) mayDiscover() string {
	return "kubectl create clusterrolebinding " + s.binding("discovery") + " --clusterrole=system:service-account-issuer-discovery " + string(s)
}
