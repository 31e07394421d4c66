// Package explain says in words how a decision about a request came about: which
// check passed, which refused, and what would change that.
//
// It makes no check of its own. What it is told comes from the very checks that
// serving makes; see [authn.WithSteps].
package explain

import (
	"errors"

	"sallyport/internal/authn"
)

// A Verdict is what the gate would do with the request.
type Verdict string

// The verdicts.
const (
	Accepted  Verdict = "accepted"
	Refused   Verdict = "refused"
	Undecided Verdict = "undecided" // nobody could examine the token
)

// A Report is a decision and its steps.
type Report struct {
	Verdict Verdict      `json:"verdict"`
	Reason  authn.Reason `json:"reason"`
	// Status is that of the answer, 0 where the app's is.
	Status int `json:"status,omitempty"`
	// Told is what the caller is told of it.
	Told string `json:"told,omitempty"`
	// Advice is what would change the verdict, or what the caller is warned of where
	// it was let through.
	Advice string `json:"advice,omitempty"`
	// Configured is what the checks hold the token against.
	Configured []Setting `json:"configured"`
	// Request is nil where nobody asked about a path.
	Request *Request `json:"request,omitempty"`
	Steps   []Step   `json:"steps,omitempty"`
	// Caller is who the token proves, where it was accepted.
	Caller *Caller `json:"caller,omitempty"`
}

// A Setting is a part of the configuration, or what was learnt in its place.
type Setting struct {
	Name   string   `json:"name"`
	Values []string `json:"values"`
}

// A Request is what there is to say of a method and a path.
type Request struct {
	Method string `json:"method"`
	Path   string `json:"path"`
	// Route is what decides, in words.
	Route string `json:"route"`
}

// A Step is one check.
type Step struct {
	Check string `json:"check"`
	// Result is ok, refused, unavailable or skipped.
	Result string       `json:"result"`
	Reason authn.Reason `json:"reason,omitempty"`
	// Asks is what the check asks.
	Asks string `json:"asks,omitempty"`
	// Detail is what was found, perhaps where the check passed too.
	Detail string `json:"detail,omitempty"`
	Advice string `json:"advice,omitempty"`
}

// A Caller is who a token proves, as the app sees it.
type Caller struct {
	Subject string              `json:"subject"`
	UID     string              `json:"uid,omitempty"`
	Groups  []string            `json:"groups,omitempty"`
	Extra   map[string][]string `json:"extra,omitempty"`
}

// Asks is what each check asks, by its name.
var Asks = map[string]string{
	"header":             "may it stand in an Authorization header?",
	"rules":              "whose rules decide?",
	"shape":              "is it a JWT of the strict form?",
	"issuer":             "is it from an issuer that is known?",
	"form":               "does that issuer sign in this way?",
	"audience":           "was it made for us?",
	"api audience":       "would the API server refuse it, so that nobody can replay it there?",
	"time":               "is it valid now?",
	"identity":           "does it name a caller?",
	"key":                "is its key published?",
	"signature":          "did that key sign it?",
	"stale":              "has it been replaced when it should have been?",
	"lifetime":           "is its whole life short enough?",
	"review":             "does the API server say yes?",
	"agreement":          "does the API server name the same caller and audience?",
	"without a review":   "is the local check enough?",
	"headers to the app": "can headers tell the app who it is?",
}

// Step notes what a check came to.
func (r *Report) Step(s authn.Step) {
	step := Step{Check: s.Check, Result: "ok", Asks: Asks[s.Check], Detail: s.Note}
	var e *authn.Error
	switch {
	case s.Skipped:
		step.Result = "skipped"
	case s.Err == nil:
	case errors.Is(s.Err, authn.ErrUnavailable):
		step.Result = "unavailable"
	default:
		step.Result = "refused"
	}
	if errors.As(s.Err, &e) {
		step.Reason, step.Detail, step.Advice = e.Reason, authn.Redact(e.Detail), e.Reason.Advice()
	} else if s.Err != nil {
		step.Detail = authn.Redact(s.Err.Error())
	}
	r.Steps = append(r.Steps, step)
}

// Decide notes how the decision ended.
func (r *Report) Decide(id authn.Identity, err error) {
	if err == nil {
		r.Verdict, r.Reason, r.Status, r.Advice = Accepted, authn.OK, 0, ""
		r.Caller = &Caller{Subject: id.Subject, UID: id.UID, Groups: id.Groups, Extra: id.Extra}
		return
	}
	r.Reason = authn.ReasonOf(err)
	r.Advice = r.Reason.Advice()
	switch {
	case errors.Is(err, authn.ErrUnauthenticated), errors.Is(err, authn.ErrNoToken):
		r.Verdict, r.Status, r.Told = Refused, 401, r.Reason.Description()
	case errors.Is(err, authn.ErrBadRequest):
		r.Verdict, r.Status, r.Told = Refused, 400, r.Reason.Description()
	default:
		r.Verdict, r.Status = Undecided, 503
	}
	if errors.Is(err, authn.ErrNoToken) {
		r.Told = ""
	}
}

// Public notes that the path needs no token.
func (r *Report) Public() { r.Verdict, r.Reason, r.Status = Accepted, authn.Public, 0 }

// OddPath notes that the path is refused. Who comes without a usable token hears
// about the token first, as everywhere else.
func (r *Report) OddPath() {
	if r.Reason != authn.Missing && r.Reason != authn.Header && r.Reason != authn.TooLarge {
		r.Verdict, r.Reason, r.Status, r.Told, r.Caller = Refused, authn.Path, 400, "", nil
		r.Advice = authn.Path.Advice()
	}
}
