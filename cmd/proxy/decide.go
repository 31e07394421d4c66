package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/netip"
	"runtime"
	"sync"
	"time"

	"go.uber.org/zap"

	"sallyport/internal/authn"
	"sallyport/internal/authn/jwt"
	"sallyport/internal/authn/oidc"
	"sallyport/internal/authn/tokenreview"
	"sallyport/internal/cache"
	"sallyport/internal/config"
	"sallyport/internal/fairqueue"
	"sallyport/internal/telemetry"
	"sallyport/internal/tracing"
)

// Towards the API server. It shares its capacity with the whole cluster, and a
// sidecar needs one review per live token and recheck interval: 50 a second are
// 1,500 callers at 30 s.
var reviewLimits = fairqueue.Limits{Rate: 50, Burst: 100, Concurrent: 32}

// In mode tokenreview anybody can write a token that has to be asked about.
// What was never admitted gets a share of its own, small enough that a whole
// fleet under attack is bearable, and cannot delay the rechecks of what was.
var unprovenLimits = fairqueue.Limits{Rate: 20, Burst: 20, Concurrent: 8}

// examining is for tokens that were never admitted. A check takes some 100 us, and up
// to 600 for a token that is worth six: 1,000 a second are a tenth of one processor, a
// flood of bad ones gets a fifth of that, and half of the processors are the most that is
// used at once, so that who is known does not feel it. Addresses take turns, so that it
// keeps nobody from another address waiting for more than a round: of 256 addresses with
// bad tokens of the worst kind, worth ten, that is 2.6 s. And 1,000 at once with 256 that
// wait may come from one address: after a restart of ours everybody is new, and may come
// through one ingress.
func examining() fairqueue.Limits {
	return fairqueue.Limits{
		Rate: 1000, Burst: 1000, Concurrent: max(1, runtime.GOMAXPROCS(0)/2),
		PerAddress: 256, Wait: 2800 * time.Millisecond,
	}
}

// A decider is everything that decides about tokens.
type decider struct {
	*cache.Cache
	cluster *cluster
	// keys is the cluster's key set, nil in mode tokenreview.
	keys *oidc.KeySet
	// sets are all key sets, that one among them.
	sets []*oidc.KeySet
	// reviews asks the API server, nil in mode oidc.
	reviews *tokenreview.Reviewer
	// both is how a cluster's token is decided about, nil in mode oidc.
	both *authn.Both
	// chain is who decides behind the cache.
	chain authn.Authenticator
	// fetches are what runs makes again and again, to be made once.
	fetches []fetch
	runs    []func(context.Context) error
}

// A fetch asks an issuer, or the API server for the cluster's, for what is needed
// to examine its tokens.
type fetch struct {
	what string // what of the cluster's is asked for, or ""
	url  string // the other issuer, or ""
	// needed says that no token of that issuer can be examined without.
	needed bool
	once   func(context.Context) error
}

// newDecider wires the mode: cache in front of the choice by issuer, in front of
// whoever decides about that issuer's tokens.
//
// waiting hands out places to requests that wait for a decision.
func newDecider(c *config.Config, cl *cluster, waiting func(context.Context, netip.Addr) (func(), bool), m *telemetry.Metrics, log *zap.Logger) (*decider, error) {
	d := &decider{cluster: cl, runs: cl.runs()}
	clusters, err := d.clusterTokens(c, m, log)
	if err != nil {
		return nil, err
	}
	others, err := d.otherTokens(c, m, log)
	if err != nil {
		return nil, err
	}
	if c.LegacyTokens != config.RefuseTokens {
		others[jwt.LegacyIssuer] = d.legacyTokens(c)
	}
	crowded := telemetry.NewTally(func(n int, _ string) {
		log.Warn("too many tokens to be examined at once: some callers got 503", zap.Int("count", n))
	})
	traced := c.TraceEndpoint != nil // nobody's span is looked for where there are none
	d.chain = &authn.Issuers{Claimed: claimedIssuer, Cluster: clusters, Others: others}
	d.Cache, err = cache.New(d.chain, cache.Options{
		Recheck: c.Recheck, MaxStale: maxStale(c), MaxBytes: rememberedBytes(),
		Enter: waiting, Examine: fairqueue.New(examining()),
		Decided: func(ctx context.Context, r authn.Reason, err error, s cache.Source, took time.Duration) {
			result := resultOf(err)
			m.Decision(result, r, string(s), took)
			if traced {
				tracing.Decided(ctx, result, r, string(s), result == telemetry.Unavailable)
			}
			if r == authn.Overload {
				crowded.Add("")
			}
		},
	})
	return d, err
}

// fetchAll makes each fetch once, side by side. What came of it shows in the
// decisions.
func (d *decider) fetchAll(ctx context.Context) {
	var all sync.WaitGroup
	for _, f := range d.fetches {
		all.Go(func() { _ = f.once(ctx) })
	}
	all.Wait()
}

// maxStale is how long a caller who was confirmed before goes on without.
func maxStale(c *config.Config) time.Duration {
	switch c.WhenUnavailable {
	case config.ServeConfirmed:
		return c.MaxStale
	case config.ServeVerified:
		// The local check is enough, and it still stands: until the token
		// expires or its key is withdrawn. Nobody waits out a review that hangs.
		return math.MaxInt64
	}
	return 0
}

func resultOf(err error) string {
	switch {
	case err == nil:
		return telemetry.Accepted
	case errors.Is(err, authn.ErrUnauthenticated):
		return telemetry.Refused
	}
	return telemetry.Unavailable
}

// claimedIssuer reads a token's iss. Nothing about it has been checked.
func claimedIssuer(token string) (string, error) {
	t, err := jwt.Decode(token)
	if err != nil {
		return "", err
	}
	return t.Claims.Issuer, nil
}

// clusterTokens returns who decides about the cluster's own tokens.
func (d *decider) clusterTokens(c *config.Config, m *telemetry.Metrics, log *zap.Logger) (authn.Authenticator, error) {
	source := d.cluster.source()
	if d.cluster.learn {
		d.fetches = append(d.fetches, fetch{what: "the cluster's discovery document", once: func(ctx context.Context) error {
			_, err := source.Issuer(ctx)
			return err
		}})
	}
	rules := &oidc.Rules{
		Issuers: d.cluster.issuers, Unknown: d.cluster.unknown(c, source),
		Audiences: c.Audiences, APIAudiences: d.cluster.apiAudiences, Leeway: c.Leeway,
		APIAudiencesKnown: d.cluster.audiencesKnown,
		Algorithms:        oidc.ClusterAlgorithms, Types: oidc.ClusterTypes, Identity: oidc.ServiceAccount,
		Lives: lives(c),
	}
	both := &authn.Both{Mismatched: func(first, review authn.Identity) {
		log.Error("the API server names another caller than the token does: a bug, or an attack on one of the two",
			zap.String("token_subject", first.Subject), zap.String("token_uid", first.UID),
			zap.String("apiserver_subject", review.Subject), zap.String("apiserver_uid", review.UID))
	}}
	if c.Mode == config.TokenReview {
		both.First = rules.Claimed
		if d.cluster.learn {
			d.runs = append(d.runs, func(ctx context.Context) error { return source.RunIssuer(ctx, c.KeyRefresh.Interval) })
		}
	} else {
		d.keys = oidc.NewKeySet(telemetry.ClusterIssuer, source.Keys, lifetimes(c), log, observeKeys(m, telemetry.ClusterIssuer))
		d.runs, d.sets = append(d.runs, d.keys.Run), append(d.sets, d.keys)
		d.fetches = append(d.fetches, fetch{what: "the cluster's keys", needed: true, once: d.keys.Fetch})
		verifier := oidc.NewVerifier(rules, d.keys)
		if c.Mode == config.OIDC {
			return verifier, nil
		}
		both.First, both.ServeVerified = verifier.Authenticate, c.WhenUnavailable == config.ServeVerified
	}
	reviewer, err := d.reviewer(c, m, log)
	both.Review, d.both, d.reviews = reviewer, both, reviewer
	return both, err
}

// legacyTokens returns who decides about tokens kept in Secrets: the API server.
// Nothing else can say yes to one, and --when-unavailable=serve-verified does not
// count. Where there are keys a forged one costs it nothing.
func (d *decider) legacyTokens(c *config.Config) authn.Authenticator {
	rules := &oidc.Rules{
		Legacy: true, Audiences: c.Audiences, Algorithms: oidc.ClusterAlgorithms, Types: oidc.ClusterTypes,
	}
	both := &authn.Both{First: rules.Claimed, Review: d.both.Review, Mismatched: d.both.Mismatched}
	if d.keys != nil {
		both.First = oidc.NewVerifier(rules, d.keys).Authenticate
	}
	return both
}

func (d *decider) reviewer(c *config.Config, m *telemetry.Metrics, log *zap.Logger) (*tokenreview.Reviewer, error) {
	known := fairqueue.New(reviewLimits)
	unproven := known
	if c.Mode == config.TokenReview {
		unproven = fairqueue.New(unprovenLimits)
	}
	o := tokenreview.Options{
		Host: d.cluster.host, Client: tracing.Client(d.cluster.reviews, "review"), Audiences: c.Audiences,
		New: unproven, Known: known, Rejected: d.cluster.rejected,
		Observe: func(r tokenreview.Result, took time.Duration) { m.Review(string(r), took) }, Log: log,
	}
	if d.cluster.token != nil {
		o.OwnToken = d.cluster.token.Token
	}
	r, err := tokenreview.New(o)
	if err == nil {
		d.runs = append(d.runs, r.Run)
	}
	return r, err
}

// otherTokens returns who decides about the tokens of each configured issuer.
// Each has keys of its own.
func (d *decider) otherTokens(c *config.Config, m *telemetry.Metrics, log *zap.Logger) (map[string]authn.Authenticator, error) {
	others := map[string]authn.Authenticator{}
	for _, j := range c.JWT {
		var roots *x509.CertPool
		if j.CertificateAuthority != "" {
			roots = x509.NewCertPool()
			if !roots.AppendCertsFromPEM([]byte(j.CertificateAuthority)) {
				return nil, fmt.Errorf("the certificateAuthority of %s holds no certificate", j.URL)
			}
		}
		keys := oidc.NewKeySet(j.URL, oidc.Discovered(j.URL, j.DiscoveryURL, publicClient(roots)), lifetimes(c), log, observeKeys(m, j.URL))
		mappings := &oidc.Mappings{Username: oidc.Mapping(j.Username), Groups: oidc.Mapping(j.Groups), UID: oidc.Mapping(j.UID)}
		others[j.URL] = oidc.NewVerifier(&oidc.Rules{
			Issuers: oidc.NewNames(j.URL), Audiences: j.Audiences, APIAudiences: d.cluster.apiAudiences, Leeway: c.Leeway,
			APIAudiencesKnown: d.cluster.audiencesKnown,
			Algorithms:        jwt.Algorithms, Types: oidc.ProviderTypes, Identity: mappings.Identity,
			Lives: lives(c),
		}, keys)
		d.runs, d.sets = append(d.runs, keys.Run), append(d.sets, keys)
		d.fetches = append(d.fetches, fetch{url: j.URL, needed: true, once: keys.Fetch})
	}
	return others, nil
}

func lives(c *config.Config) oidc.Lives {
	return oidc.Lives{RefuseStale: c.StaleTokens == config.RefuseTokens, Longest: c.MaxTokenLifetime}
}

func lifetimes(c *config.Config) oidc.Lifetimes {
	return oidc.Lifetimes(c.KeyRefresh)
}

func observeKeys(m *telemetry.Metrics, issuer string) func(error) {
	return func(err error) { m.KeyFetch(issuer, string(oidc.ResultOf(err))) }
}

// publicClient reaches issuers outside of the API server, and never carries a
// credential of ours. Nil roots are the system's, which are loaded at first use.
func publicClient(roots *x509.CertPool) *http.Client {
	return tracing.Client(&http.Client{
		Timeout: 3 * time.Second, // a whole fetch of keys takes no longer
		Transport: &http.Transport{
			Proxy:               http.ProxyFromEnvironment,
			TLSClientConfig:     &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
			ForceAttemptHTTP2:   true,
			MaxIdleConnsPerHost: 1,
			IdleConnTimeout:     30 * time.Second, // keys are fetched every few minutes
		},
	}, "fetch")
}
