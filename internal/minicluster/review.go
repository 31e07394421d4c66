package minicluster

import (
	"net/http"

	authenticationv1 "k8s.io/api/authentication/v1"
)

const authenticationAPI = "authentication.k8s.io/v1"

// review answers a TokenReview. Whether the token is good or not, the status is
// 201; all others are about the one who asks.
func (c *Cluster) review(r call) (answer, error) {
	u, err := c.caller(r)
	if err != nil {
		return answer{}, err
	}
	if !c.may(u, Review) {
		return answer{}, forbidden("tokenreviews.authentication.k8s.io is forbidden: User %q cannot create resource %q in API group %q at the cluster scope",
			u.info.Username, "tokenreviews", "authentication.k8s.io")
	}
	var tr authenticationv1.TokenReview
	if err := r.decode("TokenReview", authenticationAPI, &tr); err != nil {
		return answer{}, err
	}
	if tr.Spec.Token == "" {
		return answer{}, badRequest("token is required for TokenReview in authentication")
	}
	tr.Kind, tr.APIVersion = "TokenReview", authenticationAPI
	tr.Status = c.reviewStatus(tr.Spec)
	if r.fault.Review != nil {
		r.fault.Review(&tr.Status)
	}
	return answer{code: http.StatusCreated, body: tr}, nil
}

// reviewStatus puts the token into a header of its own making and authenticates
// that, as the API server does.
func (c *Cluster) reviewStatus(spec authenticationv1.TokenReviewSpec) authenticationv1.TokenReviewStatus {
	audiences := spec.Audiences
	if len(audiences) == 0 {
		audiences = c.APIAudiences()
	}
	u, err := c.authenticate("Bearer "+spec.Token, audiences)
	if err != nil {
		return authenticationv1.TokenReviewStatus{Error: err.Error()}
	}
	return authenticationv1.TokenReviewStatus{Authenticated: true, User: u.info, Audiences: u.audiences}
}

// LieAudience is a [Fault.Review]: a server that knows nothing of audiences
// says yes and names none.
func LieAudience(s *authenticationv1.TokenReviewStatus) { s.Audiences = nil }
