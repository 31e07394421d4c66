package tokenreview

import (
	"context"
	"errors"
	"net/http"

	authenticationv1 "k8s.io/api/authentication/v1"
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
	return rest.RESTClientForConfigAndClient(&rest.Config{
		Host:    host,
		APIPath: "/apis",
		// client-go's own limiter is 5 a second; ours stands in front.
		QPS: -1,
		ContentConfig: rest.ContentConfig{
			ContentType:          runtime.ContentTypeJSON,
			GroupVersion:         &authenticationv1.SchemeGroupVersion,
			NegotiatedSerializer: serializer.NewCodecFactory(scheme).WithoutConversion(),
		},
	}, client)
}

// ask makes the call. Only 201 is an answer; all else, 401 and 403 included, is
// about us or the API server and not about the caller's token.
func (r *Reviewer) ask(ctx context.Context, token string) (*authenticationv1.TokenReviewStatus, *failure) {
	var code int
	var answer authenticationv1.TokenReview
	result := r.client.Post().
		Resource("tokenreviews").
		MaxRetries(0). // it would retry ten times; how often is ours to say
		Body(&authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: token, Audiences: r.o.Audiences}}).
		Do(ctx).
		StatusCode(&code)
	if err := result.Error(); err != nil {
		return nil, classify(code, err)
	}
	if code != http.StatusCreated {
		return nil, &failure{result: Status, cause: errors.New("the API server answered " + http.StatusText(code))}
	}
	if err := result.Into(&answer); err != nil {
		return nil, &failure{result: Undecodable, cause: errors.New("the answer is not a TokenReview")}
	}
	return &answer.Status, nil
}
