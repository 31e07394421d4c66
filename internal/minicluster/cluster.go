// Package minicluster stands in for what a cluster gives a pod: an issuer
// (discovery, keys and their rotation), TokenRequest, TokenReview with the
// rules of a real API server, and a projected volume written as the kubelet
// writes it.
//
// It speaks the real protocol, and it is lenient where a real API server is:
// what it accepts is no model for anybody else. It is for demonstrations and
// tests. Everything can be made to fail: see [Cluster.Fail].
//
// A [Cluster] is an [http.Handler]. [Cluster.Serve] serves it with TLS on
// loopback. [Cluster.RoundTripper] serves it in memory: in a synctest bubble
// make the Cluster inside the bubble, and give it keys from [SharedKeys],
// because making them takes real time.
package minicluster

import (
	"crypto"
	"net/http"
	"sync"
	"time"
)

// DefaultIssuer is what kubeadm configures.
const DefaultIssuer = "https://kubernetes.default.svc.cluster.local"

// unreachable is where the discovery document says the keys are. API servers
// name their advertised address there, which pods may not reach; this one
// nobody reaches (RFC 5737).
const unreachable = "https://192.0.2.2:6443/openid/v1/jwks"

// Options say how a [Cluster] begins. The zero Options are a cluster as kubeadm
// makes it.
type Options struct {
	// Issuers are accepted; the first signs and stands in the discovery
	// document. Default: DefaultIssuer.
	Issuers []string
	// APIAudiences are the audiences of the API server itself. Default: the
	// issuers, whatever they are at the time.
	APIAudiences []string
	// Algorithm is RS256 (default), ES256, ES384 or ES512.
	Algorithm string
	// Keys are used for signing before any are generated. Two clusters with the
	// same key and issuer are one cluster to those who check their tokens.
	Keys []crypto.Signer
	// CacheTTL is how long the API server remembers a token that it accepted.
	// Default: 10 s, as the real one. Negative: not at all.
	CacheTTL time.Duration
	// AllowShortTokens lifts the minimum of 600 s from TokenRequest.
	AllowShortTokens bool
}

// A Cluster is a small cluster in this process. Its methods may be called at
// any time, by anybody.
type Cluster struct {
	algorithm        string
	allowShortTokens bool
	reviewed         *reviewCache
	mux              http.Handler
	faults           faults
	counts           counters

	mu           sync.Mutex
	issuers      []string
	apiAudiences []string
	jwksURI      string
	keysMaxAge   time.Duration
	spare        []crypto.Signer
	keys         []*key
	signing      *key
	objects      objects
	rights       map[grant]bool
}

// New makes a cluster with one key, and with the rights that a real one has at
// its start: every service account may read the discovery document and the
// keys, and nobody may do more. The error is about the options.
func New(o Options) (*Cluster, error) {
	c := &Cluster{
		algorithm:        o.Algorithm,
		allowShortTokens: o.AllowShortTokens,
		reviewed:         newReviewCache(o.CacheTTL),
		issuers:          append([]string(nil), o.Issuers...),
		apiAudiences:     append([]string(nil), o.APIAudiences...),
		jwksURI:          unreachable,
		keysMaxAge:       time.Hour, // pkg/serviceaccount/openidmetadata.go
		spare:            append([]crypto.Signer(nil), o.Keys...),
		objects:          newObjects(),
		rights:           map[grant]bool{{serviceAccounts, Discover}: true},
	}
	if c.algorithm == "" {
		c.algorithm = "RS256"
	}
	if len(c.issuers) == 0 {
		c.issuers = []string{DefaultIssuer}
	}
	c.mux = c.routes()
	c.faults.init()
	_, err := c.RotateKey()
	return c, err
}

// Issuers returns the accepted issuers; the first signs.
func (c *Cluster) Issuers() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.issuers...)
}

// SetIssuers replaces the accepted issuers, as a restart of the API server with
// other flags does.
func (c *Cluster) SetIssuers(first string, others ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.issuers = append([]string{first}, others...)
}

// APIAudiences returns the audiences of the API server itself.
func (c *Cluster) APIAudiences() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.apiAudiences) > 0 {
		return append([]string(nil), c.apiAudiences...)
	}
	return append([]string(nil), c.issuers...)
}
