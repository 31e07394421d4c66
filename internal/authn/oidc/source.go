package oidc

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"sallyport/internal/authn"
)

// Discovered fetches the keys that an issuer's discovery document names. The
// document is at discoveryURL, or where that is "" below the issuer, and must
// name the issuer itself. The client must carry no credential of ours.
func Discovered(issuer, discoveryURL string, client *http.Client) Source {
	at := cmp.Or(discoveryURL, strings.TrimSuffix(issuer, "/")+wellKnown)
	return func(ctx context.Context) (Document, error) {
		if err := checkURL("address", at); err != nil {
			return Document{}, err
		}
		d, err := discover(ctx, client, at)
		if err != nil {
			return Document{}, err
		}
		if d.Issuer != issuer {
			return Document{}, fmt.Errorf("%w: %s names the issuer %q, not %q", errDecode, at, d.Issuer, issuer)
		}
		if err := checkURL("jwks_uri", d.JWKSURI); err != nil {
			return Document{}, err
		}
		return fetchKeys(ctx, client, d.JWKSURI)
	}
}

// Published fetches the keys at a URL. The client must carry no credential of
// ours.
func Published(keysURL string, client *http.Client) Source {
	return func(ctx context.Context) (Document, error) {
		if err := checkURL("address", keysURL); err != nil {
			return Document{}, err
		}
		return fetchKeys(ctx, client, keysURL)
	}
}

// clusterKeys is where an API server publishes its keys
// (pkg/serviceaccount/openidmetadata.go).
const clusterKeys = "/openid/v1/jwks"

// A Cluster is where a cluster's issuers and keys are found.
type Cluster struct {
	// Host is the API server's address, as scheme://host:port.
	Host string
	// Client reaches it and no other host, with our own token.
	Client *http.Client
	// Public reaches the issuer itself, with the system's roots and without
	// any token of ours.
	Public *http.Client
	// Issuers are those known so far. LearnIssuer is told what the discovery
	// document says; it may be nil.
	Issuers     *Names
	LearnIssuer func(issuer string)
}

// Keys fetches the cluster's keys. They are taken from the API server's own
// address and not from the advertised jwks_uri, which a pod may not be able to
// reach; only where the API server serves none, the issuers themselves are
// asked.
//
// Our service account needs
//
//	nonResourceURLs: [/.well-known/openid-configuration, /openid/v1/jwks]  verbs: [get]
//
// which the ClusterRole system:service-account-issuer-discovery grants.
func (c *Cluster) Keys(ctx context.Context) (Document, error) {
	var unnamed error
	if c.LearnIssuer != nil {
		// First, as a key without its issuer is of no use, and it may be new.
		unnamed = c.learn(ctx)
	}
	doc, err := fetchKeys(ctx, c.Client, c.Host+clusterKeys)
	if errors.Is(err, ErrNotServed) {
		return c.elsewhere(ctx, err)
	}
	if err != nil {
		return doc, explain(err)
	}
	if len(c.Issuers.All()) == 0 {
		return doc, fmt.Errorf("no issuer is known; set --issuer: %w", cmp.Or(explain(unnamed), errUnnamed))
	}
	return doc, nil
}

var errUnnamed = errors.New("nobody names one")

// learn leaves most of a fetch's time to the keys, which matter more.
func (c *Cluster) learn(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout/3)
	defer cancel()
	_, err := c.Issuer(ctx)
	return err
}

// Issuer asks the API server for its issuer's name.
func (c *Cluster) Issuer(ctx context.Context) (string, error) {
	d, err := discover(ctx, c.Client, c.Host+wellKnown)
	if err == nil && c.LearnIssuer != nil {
		c.LearnIssuer(d.Issuer)
	}
	return d.Issuer, err
}

// RunIssuer asks for the issuer's name every interval until ctx ends, where
// nobody fetches keys. It tells LearnIssuer and no one else: where the API server
// does not answer, the issuer of our own token is known all the same.
func (c *Cluster) RunIssuer(ctx context.Context, interval time.Duration) error {
	for {
		once, cancel := context.WithTimeout(ctx, fetchTimeout)
		_, err := c.Issuer(once)
		cancel()
		pause := interval
		if err != nil && len(c.Issuers.All()) == 0 {
			pause = maxRetry
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(jitter(pause)):
		}
	}
}

func (c *Cluster) elsewhere(ctx context.Context, err error) (Document, error) {
	for _, issuer := range c.Issuers.All() {
		doc, e := Discovered(issuer, "", c.Public)(ctx)
		if e == nil {
			return doc, nil
		}
		err = errors.Join(err, e)
	}
	return Document{}, explain(err)
}

var errOwnToken = errors.New("the API server refuses our own token")

// unavailable is the answer to who must wait since a fetch failed with err. That
// it is our own token which is refused, or missing, is a reason of its own: it
// is not the issuer that has to be mended.
func unavailable(err error, format string, args ...any) error {
	reason := authn.KeysUnavailable
	if errors.Is(err, errOwnToken) || ResultOf(err) == NoToken {
		reason = authn.OwnToken
	}
	return authn.Unavailable(reason, format+": %v", append(args, err)...)
}

// explain adds whose fault it is, and the cures, to the refusals that have some.
func explain(err error) error {
	var status *StatusError
	if !errors.As(err, &status) {
		return err
	}
	switch status.Code {
	case http.StatusUnauthorized:
		return fmt.Errorf("%w: %w", errOwnToken, err)
	case http.StatusForbidden, http.StatusNotFound:
		return fmt.Errorf("%w; grant our service account get on the nonResourceURLs %s and %s (ClusterRole system:service-account-issuer-discovery), or use --mode tokenreview, which needs no keys", err, wellKnown, clusterKeys)
	}
	return err
}
