package main

import (
	"context"
	"errors"
	"slices"

	"go.uber.org/zap"

	"sallyport/internal/authn"
	"sallyport/internal/authn/jwt"
	"sallyport/internal/authn/oidc"
	"sallyport/internal/config"
	"sallyport/internal/tracing"
)

// learnFrom takes the cluster's issuer and the API server's audiences from a
// token of our own: the kubelet wrote it, so what it says is true.
func (cl *cluster) learnFrom(t *jwt.Token) {
	if fresh := cl.learnAudiences(t.Claims.Audience...); len(fresh) > 0 {
		cl.log.Info("audiences of the API server, learnt from our own token", zap.Strings("audiences", fresh))
	}
	cl.accepted.Learn(t.Claims.Audience...)
	if t.Claims.Issuer != jwt.LegacyIssuer {
		cl.learnIssuer(t.Claims.Issuer)
	}
}

// learnAudiences adds audiences of the API server. Where one is an audience of
// ours too, every pod's own token is good here, which nobody may overlook; what
// the configuration alone tells, config has warned of.
func (cl *cluster) learnAudiences(names ...string) (fresh []string) {
	fresh = cl.apiAudiences.Learn(names...)
	for _, a := range fresh {
		if slices.Contains(cl.ours, a) {
			cl.log.Warn("an audience of ours is the API server's audience too: the token that every pod has is good here, "+
				"and the app, or whoever else gets one, can use it as the caller at the API server", zap.String("audience", a))
		}
	}
	return fresh
}

func (cl *cluster) learnIssuer(issuer string) {
	if !cl.learn {
		return
	}
	cl.learnAudiences(issuer)
	if fresh := cl.issuers.Learn(issuer); len(fresh) > 0 {
		cl.log.Info("the cluster's issuer", zap.Strings("issuers", fresh))
	}
}

// source is where the cluster's keys are fetched, and its issuer asked for.
func (cl *cluster) source() *oidc.Cluster {
	s := &oidc.Cluster{Host: cl.host, Client: tracing.Client(cl.keys, "fetch"), Public: publicClient(nil), Issuers: cl.issuers}
	if cl.learn {
		s.LearnIssuer = cl.learnIssuer
	}
	return s
}

// unknown returns who is asked about an issuer that nobody has named so far, and
// nil where --issuer names them all.
func (cl *cluster) unknown(c *config.Config, source *oidc.Cluster) func(ctx context.Context, issuer string) error {
	if !cl.learn {
		return nil
	}
	reviewed := c.Mode == config.TokenReview
	learner := oidc.NewLearner(cl.issuers, func(ctx context.Context) error {
		_, err := source.Issuer(ctx)
		if !reviewed && errors.Is(err, oidc.ErrNotServed) {
			return nil // that is an answer: our own token alone names the issuer
		}
		return err
	}, c.KeyRefresh.Cooldown, cl.log)
	return func(ctx context.Context, issuer string) error {
		if cl.accepted.Has(issuer) {
			// A former one: the discovery document names the first alone. It
			// counts here and nowhere else, as an audience may also be somebody
			// who must not be asked for keys.
			return nil
		}
		if err := cl.known(); err != nil {
			return err
		}
		err := learner.Find(ctx, issuer)
		if reviewed && errors.Is(err, authn.ErrUnavailable) {
			return nil // it may be the cluster's, and the API server decides
		}
		return err
	}
}

// known is the outage to answer with while no issuer of the cluster is known.
func (cl *cluster) known() error {
	if len(cl.issuers.All()) > 0 {
		return nil
	}
	return authn.Unavailable(authn.OwnToken, "the cluster's issuer is not known yet: our own token or the API server's discovery document would tell; or set --issuer")
}

// audiencesKnown is the outage to answer with while our own token has not told
// the API server's audiences. With a kubeconfig's own credentials nothing will.
func (cl *cluster) audiencesKnown() error {
	if cl.token == nil {
		return nil
	}
	_, err := cl.token.Token()
	return err
}
