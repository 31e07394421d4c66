package tokenreview

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"

	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/rest"
)

// newClient returns a REST client that knows one API group: a typed client
// registers them all, for 12 MB of binary.
func newClient(host string, client *http.Client) (*rest.RESTClient, error) {
	scheme := runtime.NewScheme()
	if err := authenticationv1.AddToScheme(scheme); err != nil {
		return nil, err
	}
	metav1.AddToGroupVersion(scheme, authenticationv1.SchemeGroupVersion)
	// A redirect would take the caller's token to a host that nobody configured.
	direct := *client
	direct.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return rest.RESTClientForConfigAndClient(&rest.Config{
		Host:    host,
		APIPath: "/apis",
		// client-go's own limiter is 5 a second; ours stands in front.
		QPS: -1,
		// The default writes what the server warns of to standard error.
		WarningHandler: rest.NoWarnings{},
		ContentConfig: rest.ContentConfig{
			ContentType:          runtime.ContentTypeJSON,
			GroupVersion:         &authenticationv1.SchemeGroupVersion,
			NegotiatedSerializer: serializer.NewCodecFactory(scheme).WithoutConversion(),
		},
	}, &direct)
}

// ask makes the call. Only 201 is an answer; all else, 401 and 403 included, is
// about us or the API server and not about the caller's token.
func (r *Reviewer) ask(ctx context.Context, q question) (*authenticationv1.TokenReviewStatus, *failure) {
	var code int
	result := r.client.Post().
		Resource("tokenreviews").
		MaxRetries(0). // it would retry ten times; how often is ours to say
		Body(&authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: q.token, Audiences: q.audiences}}).
		Do(ctx).
		StatusCode(&code)
	if err := result.Error(); err != nil {
		return nil, classify(cmp.Or(code, codeOf(err)), err)
	}
	if code != http.StatusCreated {
		return nil, &failure{result: Status, cause: fmt.Errorf("the API server answered %d", code)}
	}
	// Not Into: it takes an object of another kind, or of none, for an empty
	// review, which reads as a no.
	object, err := result.Get()
	review, ok := object.(*authenticationv1.TokenReview)
	if err != nil || !ok {
		return nil, &failure{result: Undecodable, cause: errors.New("the answer is not a TokenReview")}
	}
	return &review.Status, nil
}

// codeOf is the status that an error tells of, or 0. client-go keeps none beside
// the error where the answer is of a media type that it cannot decode, such as
// text/plain: that is how the API server says 429.
func codeOf(err error) int {
	var answered apierrors.APIStatus
	if errors.As(err, &answered) {
		return int(answered.Status().Code)
	}
	return 0
}
