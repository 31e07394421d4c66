package minicluster

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// maxBody is the API server's limit for the body of a request
// (apiserver, pkg/server/config.go).
const maxBody = 3 << 20

// A call is a request whose body has been read, and what is wrong with the
// answer that it will get.
type call struct {
	*http.Request
	body  []byte
	fault Fault
}

// An answer is a status and what is sent as JSON.
type answer struct {
	code        int
	contentType string // default: application/json
	maxAge      int    // seconds that it may be cached for, where cacheable
	cacheable   bool
	body        any // plain, or what becomes JSON
}

// plain is a body as it stands.
type plain string

// An endpoint answers calls. Its error is a *statusError, or a bug.
type endpoint func(call) (answer, error)

func (c *Cluster) routes() http.Handler {
	mux := http.NewServeMux()
	for pattern, e := range map[string]struct {
		kind Endpoint
		endpoint
	}{
		"GET /.well-known/openid-configuration":                            {Discovery, c.discovery},
		"GET /openid/v1/jwks":                                              {Keys, c.jwks},
		"POST /apis/authentication.k8s.io/v1/tokenreviews":                 {Reviews, c.review},
		"POST /api/v1/namespaces/{namespace}/serviceaccounts/{name}/token": {Tokens, c.tokenRequest},
		"GET /version": {Others, c.version},
		"/":            {Others, c.nothing},
	} {
		mux.Handle(pattern, c.handle(e.kind, e.endpoint))
	}
	return mux
}

// ServeHTTP answers as the API server does. Where a fault wants no answer, it
// panics with [http.ErrAbortHandler], which servers understand.
func (c *Cluster) ServeHTTP(w http.ResponseWriter, r *http.Request) { c.mux.ServeHTTP(w, r) }

// handle reads the request to its end (a server sees that a client has gone
// only after that), lets the faults have their way, and sends the answer.
func (c *Cluster) handle(kind Endpoint, e endpoint) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.counts.add(kind, r)
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		f := c.faults.meet(r, kind)
		var a answer
		switch {
		case err != nil:
			err = tooLarge(err)
		case f.Status == http.StatusTooManyRequests:
			a = throttled
		case f.Status != 0:
			err = fail(f.Status, reasons[f.Status], "%s", http.StatusText(f.Status))
		default:
			a, err = e(call{r, body, f})
		}
		f.write(w, a.or(err))
	})
}

// version tells anybody whose credential is good, or who has none.
func (c *Cluster) version(r call) (answer, error) {
	_, err := c.caller(r)
	return answer{code: http.StatusOK, body: map[string]string{"gitVersion": "v1.37.2"}}, err
}

// nothing is at every other path. Who sends a bad credential learns of that first.
func (c *Cluster) nothing(r call) (answer, error) {
	if _, err := c.caller(r); err != nil {
		return answer{}, err
	}
	return answer{}, noSuchPath()
}

// throttled is the answer of the API server's priority and fairness (apiserver,
// pkg/server/filters/priority-and-fairness.go): it is no Status.
var throttled = answer{
	code: http.StatusTooManyRequests, contentType: "text/plain; charset=utf-8",
	body: plain("Too many requests, please try again later.\n"),
}

func tooLarge(err error) error {
	var limit *http.MaxBytesError
	if errors.As(err, &limit) {
		return fail(http.StatusRequestEntityTooLarge, metav1.StatusReasonRequestEntityTooLarge, "Request entity too large: limit is %d", limit.Limit)
	}
	return badRequest("the body could not be read")
}

// or returns the answer, or the one that the error is.
func (a answer) or(err error) answer {
	if err == nil {
		return a
	}
	var s *statusError
	if !errors.As(err, &s) {
		s = fail(http.StatusInternalServerError, metav1.StatusReasonInternalError, "%v", err)
	}
	return answer{code: int(s.status.Code), body: s.status}
}

// caller says who calls, by the token that the call carries. A token that is
// not good is an error; no token at all is system:anonymous.
func (c *Cluster) caller(r call) (user, error) {
	u, err := c.authenticate(r.Header.Get("Authorization"), c.APIAudiences())
	if err != nil {
		return user{}, unauthorized()
	}
	return u, nil
}

// decode reads the JSON of one kind of object.
func (r call) decode(kind, apiVersion string, into any) error {
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/json" {
		return fail(http.StatusUnsupportedMediaType, metav1.StatusReasonUnsupportedMediaType,
			"the body of the request was in an unknown format - accepted media types include: application/json")
	}
	var is metav1.TypeMeta
	if json.Unmarshal(r.body, &is) != nil || json.Unmarshal(r.body, into) != nil {
		return badRequest("the object provided is unrecognized (must be of type %s)", kind)
	}
	// What is left out is known from the path.
	if is.Kind != "" && is.Kind != kind || is.APIVersion != "" && is.APIVersion != apiVersion {
		return badRequest("the object provided is a %s of %s, not a %s of %s", is.Kind, is.APIVersion, kind, apiVersion)
	}
	return nil
}
