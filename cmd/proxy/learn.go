package main

import (
	"slices"

	"go.uber.org/zap"

	"sallyport/internal/authn"
	"sallyport/internal/authn/jwt"
)

// learnFrom takes the cluster's issuer and the API server's audiences from a
// token of our own: the kubelet wrote it, so what it says is true.
func (cl *cluster) learnFrom(t *jwt.Token) {
	if fresh := cl.learnAudiences(t.Claims.Audience...); len(fresh) > 0 {
		cl.log.Info("audiences of the API server, learnt from our own token", zap.Strings("audiences", fresh))
	}
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
