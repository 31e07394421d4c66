package inspect

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"sallyport/internal/authn/jwt"
	"sallyport/internal/span"
)

// A Finding is something about a token that its holder should know.
type Finding struct {
	// Name is one word, for programs.
	Name string `json:"name"`
	Text string `json:"text"`
}

func finding(name, format string, args ...any) Finding {
	return Finding{name, fmt.Sprintf(format, args...)}
}

func (r *Report) find(name, format string, args ...any) {
	r.Findings = append(r.Findings, finding(name, format, args...))
}

// longest is the longest life that raises no question: a day is what the kubelet
// renews at the latest.
const longest = 24 * time.Hour

// judge says what is odd about a token.
func (r *Report) judge(p *parts, t *jwt.Token) {
	r.judgeHeader(p, t)
	r.judgeTimes(&t.Claims)
	if r.Kind != Unreadable {
		r.judgeAudiences(&t.Claims)
		r.judgeKind(&t.Claims)
	}
	r.judgeSignature(p)
}

func (r *Report) judgeHeader(p *parts, t *jwt.Token) {
	switch alg := t.Header.Algorithm; {
	case p.header == nil:
		r.find("header", "the header cannot be read")
	case strings.EqualFold(alg, "none"):
		r.find("algorithm", "it is not signed at all (alg none): anybody can write such a token")
	case strings.HasPrefix(alg, "HS"):
		r.find("algorithm", "%s is made with a secret that whoever checks it has to have: who can check it can forge it", alg)
	case !slices.Contains(jwt.Algorithms, alg):
		r.find("algorithm", "the algorithm %q is none that sallyport takes", r.Header["alg"])
	case t.Header.KeyID == "":
		r.find("no_key_id", "it names no key: it can be checked only where its issuer has one")
	}
	for _, name := range []string{"jku", "x5u", "jwk", "crit", "b64"} {
		if _, ok := p.header[name]; ok {
			r.find("header_"+name, "its header says by which key, or by which rules, it wants to be checked (%s): whoever obeys can be made to take a forged one", name)
		}
	}
}

func (r *Report) judgeTimes(c *jwt.Claims) {
	now := r.now
	start := c.NotBefore
	if c.IssuedAt.After(start) {
		start = c.IssuedAt
	}
	switch {
	case !c.Expires.IsZero() && !now.Before(c.Expires):
		r.find("expired", "it expired %s ago. A holder that has read it from a file must read the file again, once a minute at least", span.Text(now.Sub(c.Expires)))
	case start.After(now):
		r.find("not_yet_valid", "it is valid %s only: the clock of its issuer or of this machine is wrong", span.Relative(start, now))
	}
	if c.Expires.IsZero() && r.Kind != Legacy && r.Kind != Unreadable {
		r.find("no_expiry", "it never expires")
	}
	if life := c.Expires.Sub(c.IssuedAt); r.Kind != Extended && !c.Expires.IsZero() && !c.IssuedAt.IsZero() && life > longest {
		r.find("long", "it lives %s: whoever gets hold of it has it for as long", span.Text(life))
	}
	if renewal := c.Renewal(); r.Kind == Pod && !renewal.IsZero() && now.After(renewal.Add(jwt.RenewalSlack)) && now.Before(c.Expires) {
		r.find("late", "the kubelet should have replaced it %s ago. Either this is an old copy, or the kubelet is in trouble, or another source of its volume fails", span.Text(now.Sub(renewal)))
	}
}

func (r *Report) judgeAudiences(c *jwt.Claims) {
	switch {
	case r.Kind == Legacy:
	case len(c.Audience) == 0:
		r.find("no_audience", "it is for no audience: whoever receives it can use it anywhere")
	case len(c.Audience) > 1:
		r.find("audiences", "it is for %d audiences: each of them can use it at the others", len(c.Audience))
	}
	for _, a := range c.Audience {
		if c.Kubernetes != nil && (a == c.Issuer || isAPIServer(a)) {
			r.find("api_audience", "it is good at the API server: whoever receives it can act there as its service account. Send services a token made for them alone")
			break
		}
	}
}

// isAPIServer reports whether an audience is one of the API server's usual names.
func isAPIServer(audience string) bool {
	u, err := url.Parse(audience)
	return err == nil && (u.Hostname() == "kubernetes.default.svc" || strings.HasPrefix(u.Hostname(), "kubernetes.default.svc."))
}

func (r *Report) judgeKind(c *jwt.Claims) {
	switch r.Kind {
	case Legacy:
		r.find("legacy", "it is good until its Secret is deleted, and so for whoever ever saw it. Use a projected token: sallyport refuses this one, unless --legacy-tokens allows them")
	case Extended:
		if r.now.Before(c.WarnAfter()) {
			r.find("extended", "it was asked for with exactly 3607 s for the API server, which makes it good until exp all the same, for clients that read it once")
		} else if r.now.Before(c.Expires) {
			r.find("stale", "it should have been replaced %s ago, and is good until exp only because the API server stretches such tokens: whoever sends it does not read its file again", span.Text(r.now.Sub(c.WarnAfter())))
		}
	case Unbound:
		r.find("unbound", "it is bound to no pod: it stays good when the pod that uses it is gone, until it expires or its service account is deleted")
	}
	if k := c.Kubernetes; k != nil && c.Subject != k.ServiceAccountSubject() {
		r.find("subject", "its sub is not the service account that its claim kubernetes.io names. The API server never writes that")
	}
}

// The sizes in bytes of what an EC key signs (RFC 7518 section 3.4).
var signatures = map[string]int{"ES256": 64, "ES384": 96, "ES512": 132}

func (r *Report) judgeSignature(p *parts) {
	alg := str(p.header["alg"])
	want, ec := signatures[alg]
	rsa := strings.HasPrefix(alg, "RS") || strings.HasPrefix(alg, "PS")
	switch {
	case p.count != 3:
		r.find("parts", "it has %d parts and not three: cut off, or put together wrongly", p.count)
	case ec && p.signature != want, rsa && p.signature < 256, rsa && p.signature%64 != 0:
		r.find("cut", "its signature has not the length of one made with %s: cut off, or changed on the way", alg)
	}
}
