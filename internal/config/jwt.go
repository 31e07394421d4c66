package config

import (
	"crypto/x509"
	"encoding/pem"
	"strings"
)

// later explains the parts of AuthenticationConfiguration that are refused by
// name: who wrote them relies on them.
const later = "this is not supported yet: sallyport must not run as if it were not there, take it away"

// reserved is how the names begin that only the cluster may give.
const reserved = "system:"

// jwt reads the list of other issuers. The rules are those of Kubernetes
// (k8s.io/apiserver, pkg/apis/apiserver/validation/validation.go, release 1.37),
// and a few of ours.
func (l *loader) jwt(n node) {
	urls, discovery := map[string]string{}, map[string]string{}
	n.list(maxList, func(n node) {
		var j JWT
		issuer, mappings := false, false
		n.object(map[string]field{
			"issuer":        func(n node) { issuer = true; l.jwtIssuer(n, &j, urls, discovery) },
			"claimMappings": func(n node) { mappings = true; claimMappings(n, &j) },
		}, map[string]string{"claimValidationRules": later, "userValidationRules": later})
		if !issuer {
			n.fail("there is no issuer: write issuer: with url and audiences")
		}
		if !mappings {
			n.fail("there are no claimMappings: write claimMappings: {username: {claim: sub, prefix: ...}}")
		}
		l.config.JWT = append(l.config.JWT, j)
		l.jwtWhere = append(l.jwtWhere, n.where())
	})
}

func (l *loader) jwtIssuer(n node, j *JWT, urls, discovery map[string]string) {
	var policy string
	n.object(map[string]field{
		"url":                  func(n node) { n.issuer(&j.URL, urls) },
		"discoveryURL":         func(n node) { n.issuer(&j.DiscoveryURL, discovery) },
		"certificateAuthority": func(n node) { n.roots(&j.CertificateAuthority) },
		"audiences":            func(n node) { j.Audiences = n.audiences() },
		"audienceMatchPolicy":  func(n node) { n.str(&policy) },
	}, map[string]string{"egressSelectorType": later})
	if n.Kind != mappingNode {
		return
	}
	if !n.has("url") {
		n.fail("there is no url: write url: https://..., as in the tokens' iss")
	}
	if !n.has("audiences") {
		n.fail("there are no audiences: write audiences: [...], as in the tokens' aud")
	}
	if j.DiscoveryURL != "" && strings.TrimSuffix(j.DiscoveryURL, "/") == strings.TrimSuffix(j.URL, "/") {
		n.fail("discoveryURL is the same as url: write the whole URL of the discovery document, or take it away")
	}
	if policy != "" && policy != "MatchAny" || len(j.Audiences) > 1 && policy == "" {
		n.fail("one matching audience is enough, and that has to be said: write audienceMatchPolicy: MatchAny")
	}
}

// issuer reads a URL that no other entry may have.
func (n node) issuer(to *string, seen map[string]string) {
	w, ok := n.scalar("!!str")
	if !ok {
		return
	}
	u, err := issuerURL(false)(w.text)
	switch {
	case err != nil:
		n.fail("%v", err)
	case seen[u] != "":
		n.fail("%s is at %s already: write it once", u, seen[u])
	default:
		seen[u] = n.where()
		*to = u
	}
}

func (n node) audiences() []string {
	var all []string
	seen := map[string]bool{}
	n.list(maxList, func(n node) {
		w, ok := n.scalar("!!str")
		if !ok {
			return
		}
		a, err := text(w.text)
		switch {
		case err != nil:
			n.fail("%v", err)
		case seen[a]:
			n.fail("%s is there twice: write it once", a)
		default:
			seen[a] = true
			all = append(all, a)
		}
	})
	if len(n.Content) == 0 {
		n.fail("there is no audience: write those that this issuer's tokens for the app have")
	}
	return all
}

// roots reads PEM. Only certificates may be in it: a key pasted there by
// mistake should be noticed.
func (n node) roots(to *string) {
	w, ok := n.scalar("!!str")
	if !ok {
		return
	}
	rest, count := []byte(w.text), 0
	for {
		var block *pem.Block
		block, rest = pem.Decode(rest)
		if block == nil {
			break
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil || block.Type != "CERTIFICATE" {
			n.fail("block %d is not a certificate: write PEM certificates alone", count+1)
			return
		}
		count++
	}
	if count == 0 || strings.TrimSpace(string(rest)) != "" {
		n.fail("this is not PEM, or not only: write the certificates themselves, not the name of a file")
		return
	}
	*to = w.text
}

func claimMappings(n node, j *JWT) {
	n.object(map[string]field{
		"username": func(n node) { n.mapping(&j.Username, true) },
		"groups":   func(n node) { n.mapping(&j.Groups, true) },
		"uid":      func(n node) { n.mapping(&j.UID, false) },
	}, map[string]string{"extra": later})
	if n.Kind == mappingNode && !n.has("username") {
		n.fail("there is no username: write username: {claim: sub, prefix: ...}")
	}
}

// mapping reads claim and prefix. A prefix has to be said, if only as "": with
// none, two issuers can give the same name to two people.
func (n node) mapping(m *ClaimMapping, prefixed bool) {
	fields := map[string]field{"claim": func(n node) { n.str(&m.Claim) }}
	if prefixed {
		fields["prefix"] = func(n node) { n.str(&m.Prefix) }
	}
	n.object(fields, map[string]string{"expression": later})
	if n.Kind != mappingNode || n.has("expression") {
		return
	}
	if m.Claim == "" {
		n.fail("there is no claim: write claim: with the name of one")
	}
	if prefixed && !n.has("prefix") {
		n.fail(`there is no prefix: write prefix: "https://...#" or another, or prefix: "" for none`)
	}
	if hasControl(m.Prefix) || strings.HasPrefix(m.Prefix, reserved) {
		n.fail("the prefix %q begins with %s or has control characters: names like that are the cluster's, write another", m.Prefix, reserved)
	}
}
