package tokenreview

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"

	"sallyport/internal/authn"
)

func TestYes(t *testing.T) {
	b := newBench(t, yes)
	id, err := b.Authenticate(t.Context(), theToken)
	want := authn.Identity{
		Subject: "system:serviceaccount:ns:app", UID: "u1", Groups: []string{"g1", "g2"},
		Extra:     map[string][]string{"authentication.kubernetes.io/pod-name": {"p"}},
		Audiences: []string{"ours"}, Standing: authn.Confirmed,
	}
	if err != nil || !reflect.DeepEqual(id, want) {
		t.Errorf("%+v, %v; want %+v", id, err, want)
	}
	c := b.server.seen()[0]
	if c.token != theToken || !slices.Equal(c.audiences, []string{"ours", "also"}) {
		t.Errorf("asked about %q for %q", c.token, c.audiences)
	}
	if r := c.request; r.Method != http.MethodPost || r.URL.String() != "https://10.0.0.1:443/apis/authentication.k8s.io/v1/tokenreviews" {
		t.Errorf("%s %s", r.Method, r.URL)
	}
	if !slices.Equal(b.results, []Result{Yes}) || b.Err() != nil {
		t.Errorf("observed %v, Err() = %v", b.results, b.Err())
	}
}

// Who stands in the queue for a review keeps nobody from computing.
func TestWaitingForAReviewLeavesThePlace(t *testing.T) {
	b := newBench(t, yes)
	b.new.wait = make(chan struct{})
	left := make(chan struct{})
	go func() {
		<-left // or this hangs
		close(b.new.wait)
	}()
	if _, err := b.Authenticate(authn.WithPlace(t.Context(), func() { close(left) }), theToken); err != nil {
		t.Error(err)
	}
}

func TestJudge(t *testing.T) {
	type status = authenticationv1.TokenReviewStatus
	type user = authenticationv1.UserInfo
	ours := []string{"ours"}
	named := user{Username: "u"}
	for name, tc := range map[string]struct {
		status status
		yes    bool
	}{
		"yes":                     {status{Authenticated: true, User: named, Audiences: ours}, true},
		"yes, among others":       {status{Authenticated: true, User: named, Audiences: []string{"x", "also"}}, true},
		"yes, with an error":      {status{Authenticated: true, User: named, Audiences: ours, Error: "one of three failed"}, true},
		"no":                      {status{}, false},
		"no, with a user":         {status{User: named, Audiences: ours}, false},
		"no, with an error":       {status{User: named, Audiences: ours, Error: "etcd is away"}, false},
		"no user":                 {status{Authenticated: true, Audiences: ours}, false},
		"empty user with groups":  {status{Authenticated: true, User: user{UID: "u", Groups: []string{"g"}}, Audiences: ours}, false},
		"anonymous":               {status{Authenticated: true, User: user{Username: "system:anonymous"}, Audiences: ours}, false},
		"unauthenticated group":   {status{Authenticated: true, User: user{Username: "u", Groups: []string{"g", "system:unauthenticated"}}, Audiences: ours}, false},
		"no audiences":            {status{Authenticated: true, User: named}, false},
		"empty audience":          {status{Authenticated: true, User: named, Audiences: []string{""}}, false},
		"another audience":        {status{Authenticated: true, User: named, Audiences: []string{"theirs"}}, false},
		"an audience but in case": {status{Authenticated: true, User: named, Audiences: []string{"OURS"}}, false},
	} {
		b := newBench(t, review(tc.status))
		id, err := b.Authenticate(t.Context(), theToken)
		want := No
		if tc.yes {
			want = Yes
		}
		if tc.yes != (err == nil) || tc.yes != (id.Subject != "") || !slices.Equal(b.results, []Result{want}) {
			t.Errorf("%s: %+v, %v, observed %v", name, id, err, b.results)
		}
		if !tc.yes && (!errors.Is(err, authn.ErrUnauthenticated) || authn.ReasonOf(err) != authn.Revoked) {
			t.Errorf("%s: err = %v, want a refusal for %s", name, err, authn.Revoked)
		}
		if b.Err() != nil {
			t.Errorf("%s: an answer began an outage: %v", name, b.Err())
		}
	}
}

// Every way not to answer is an outage, with a reason and a result, and only
// those are tried again that may go better a moment later.
func TestNoAnswer(t *testing.T) {
	status := func(code int, h ...string) answer {
		return text(code, `{"kind":"Status","apiVersion":"v1","status":"Failure"}`, h...)
	}
	good := `{"kind":"TokenReview","apiVersion":"authentication.k8s.io/v1","status":{"authenticated":true,"user":{"username":"u"},"audiences":["ours"]}}`
	broken := func(code int) answer {
		return func(r *http.Request) (*http.Response, error) {
			resp, err := text(code, "")(r)
			resp.Body = io.NopCloser(cut{strings.NewReader(good[:40])})
			return resp, err
		}
	}
	// As the API server's priority and fairness says no, and much that stands in
	// front of API servers.
	plain := []string{"Content-Type", "text/plain; charset=utf-8", "Retry-After", "1"}
	for name, tc := range map[string]struct {
		answer answer
		result Result
		reason authn.Reason
		calls  int
	}{
		"200 instead of 201":  {text(200, good), Status, authn.ReviewFailed, 1},
		"202":                 {text(202, good), Status, authn.ReviewFailed, 1},
		"204":                 {text(204, ""), Status, authn.ReviewFailed, 1},
		"301":                 {text(301, good, "Location", "https://other.example"), Status, authn.ReviewFailed, 1},
		"307":                 {text(307, good, "Location", "/elsewhere"), Status, authn.ReviewFailed, 1},
		"308 without a place": {text(308, good), Status, authn.ReviewFailed, 1},
		"400":                 {status(400), Status, authn.ReviewFailed, 1},
		"401":                 {status(401), Unauthorized, authn.OwnToken, 2},
		"403":                 {status(403), Forbidden, authn.ReviewForbidden, 1},
		"404":                 {status(404), Status, authn.ReviewFailed, 1},
		"409":                 {status(409), Status, authn.ReviewFailed, 1},
		"422":                 {status(422), Status, authn.ReviewFailed, 1},
		"429":                 {status(429), Throttled, authn.ReviewFailed, 1},
		"429, come again":     {status(429, "Retry-After", "1"), Throttled, authn.ReviewFailed, 1},
		"429 in plain text":   {text(429, "Too many requests, please try again later.", plain...), Throttled, authn.ReviewFailed, 1},
		"401 in plain text":   {text(401, "who are you", plain...), Unauthorized, authn.OwnToken, 2},
		"403 in plain text":   {text(403, "no", plain...), Forbidden, authn.ReviewForbidden, 1},
		"502 in HTML":         {text(502, "<html>", "Content-Type", "text/html"), Status, authn.ReviewFailed, 2},
		"500":                 {status(500), Status, authn.ReviewFailed, 2},
		"500, come again":     {status(500, "Retry-After", "1"), Status, authn.ReviewFailed, 2},
		"503":                 {status(503), Status, authn.ReviewFailed, 2},
		"504":                 {text(504, "<html>"), Status, authn.ReviewFailed, 2},
		"500 with a yes":      {text(500, good), Status, authn.ReviewFailed, 2},
		"403 with a yes":      {text(403, good), Forbidden, authn.ReviewForbidden, 1},
		"too long": {func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 201, Request: r, Body: io.NopCloser(iotest.ErrReader(tooLong{}))}, nil
		}, Undecodable, authn.ReviewFailed, 1},
		"empty":                 {text(201, ""), Undecodable, authn.ReviewFailed, 1},
		"cut in JSON":           {text(201, good[:40]), Undecodable, authn.ReviewFailed, 1},
		"garbage":               {text(201, "<html>"), Undecodable, authn.ReviewFailed, 1},
		"null":                  {text(201, "null"), Undecodable, authn.ReviewFailed, 1},
		"an array":              {text(201, "["+good+"]"), Undecodable, authn.ReviewFailed, 1},
		"no kind":               {text(201, `{"status":{"authenticated":false}}`), Undecodable, authn.ReviewFailed, 1},
		"another kind":          {text(201, `{"kind":"TokenRequest","apiVersion":"authentication.k8s.io/v1"}`), Undecodable, authn.ReviewFailed, 1},
		"a Status":              {text(201, `{"kind":"Status","apiVersion":"v1","status":"Success"}`), Undecodable, authn.ReviewFailed, 1},
		"another version":       {text(201, strings.Replace(good, "/v1", "/v1beta1", 1)), Undecodable, authn.ReviewFailed, 1},
		"yes as a string":       {text(201, strings.Replace(good, "true", `"true"`, 1)), Undecodable, authn.ReviewFailed, 1},
		"protobuf":              {text(201, good, "Content-Type", "application/vnd.kubernetes.protobuf"), Undecodable, authn.ReviewFailed, 1},
		"cut on the wire":       {broken(201), Network, authn.ReviewFailed, 2},
		"refused connection":    {fails(errors.New("connection refused")), Network, authn.ReviewFailed, 2},
		"hang":                  {hang, Timeout, authn.ReviewFailed, 2},
		"slower than 3 s":       {after(3100*time.Millisecond, yes), Timeout, authn.ReviewFailed, 2},
		"no token of our own":   {fails(authn.Unavailable(authn.OwnToken, "empty file")), NoToken, authn.OwnToken, 1},
		"an outage of no token": {fails(authn.Unavailable(authn.KeysUnavailable, "x")), Network, authn.ReviewFailed, 2},
	} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, tc.answer)
			start := time.Now()
			id, err := b.Authenticate(t.Context(), theToken)
			if !errors.Is(err, authn.ErrUnavailable) || errors.Is(err, authn.ErrUnauthenticated) || authn.ReasonOf(err) != tc.reason || id.Subject != "" {
				t.Errorf("%s: %+v, %v; want an outage for %s", name, id, err, tc.reason)
			}
			if took := time.Since(start); took > 2*reviewTimeout+maxPause {
				t.Errorf("%s: took %v", name, took)
			}
			calls := tc.calls
			if slices.Contains([]Result{Status, Network, Undecodable}, tc.result) {
				calls++ // about our own token, to know that it is not the caller's alone
			}
			if n := len(b.server.seen()); n != calls || !slices.Equal(b.results, slices.Repeat([]Result{tc.result}, calls)) {
				t.Errorf("%s: %d calls, observed %v; want %d of %s", name, n, b.results, calls, tc.result)
			}
			if tc.calls == 2 {
				if gap := b.server.seen()[1].at.Sub(b.server.seen()[0].at) % time.Second; gap < minPause || gap > maxPause {
					t.Errorf("%s: tried again after %v", name, gap)
				}
			}
			if b.Err() == nil || authn.ReasonOf(b.Err()) != tc.reason {
				t.Errorf("%s: Err() = %v, want the outage", name, b.Err())
			}
			if want := tc.result == Unauthorized; want != (b.rejected > 0) || want && b.rejected != tc.calls {
				t.Errorf("%s: our token was called rejected %d times", name, b.rejected)
			}
			if !slices.Contains(Results, tc.result) {
				t.Errorf("%s: %s is not in Results", name, tc.result)
			}
		})
	}
}

func TestSecondTrySucceeds(t *testing.T) {
	for name, blip := range map[string]answer{
		"401": text(401, ""), "500": text(500, ""), "cut connection": fails(io.ErrUnexpectedEOF),
	} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, first(1, blip, yes))
			if _, err := b.Authenticate(t.Context(), theToken); err != nil || b.Err() != nil || len(b.server.seen()) != 2 {
				t.Errorf("%s: err = %v, Err() = %v after %d calls", name, err, b.Err(), len(b.server.seen()))
			}
		})
	}
}

func TestRetryAfter(t *testing.T) {
	for _, tc := range []struct {
		header string
		want   time.Duration
	}{{"7", 7 * time.Second}, {"1", time.Second}, {"soon", 0}, {"-3", 0}} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, text(429, "", "Retry-After", tc.header))
			_, err := b.Authenticate(t.Context(), theToken)
			var e *authn.Error
			if !errors.As(err, &e) || e.RetryAfter != tc.want {
				t.Errorf("%q: %v says %v, want %v", tc.header, err, e.RetryAfter, tc.want)
			}
		})
	}
}

func TestLimiters(t *testing.T) {
	b := newBench(t, yes)
	addr := netip.MustParseAddr("192.0.2.7")
	for _, known := range []bool{false, true, true} {
		b.Authenticate(authn.WithCaller(t.Context(), authn.Caller{Addr: addr, Known: known}), theToken)
	}
	if len(b.new.addrs) != 1 || len(b.known.addrs) != 2 || b.new.addrs[0] != addr {
		t.Errorf("new: %v, known: %v", b.new.addrs, b.known.addrs)
	}
	if b.new.released != 1 || b.known.released != 2 {
		t.Errorf("%d and %d places given back, want 1 and 2", b.new.released, b.known.released)
	}
	b.server.set(fails(errors.New("x")))
	b.Authenticate(t.Context(), theToken)
	if b.new.released != 2 {
		t.Error("a failed review keeps its place")
	}
}

func TestLimiterIsFull(t *testing.T) {
	b := newBench(t, yes)
	b.new.err = errors.New("no place")
	_, err := b.Authenticate(t.Context(), theToken)
	var e *authn.Error
	if !errors.As(err, &e) || e.Kind != authn.ErrUnavailable || e.Reason != authn.Overload || e.RetryAfter <= 0 {
		t.Errorf("err = %#v, want overload and when to come again", err)
	}
	if len(b.server.seen()) != 0 || b.Err() != nil || !slices.Equal(b.results, []Result{Limited}) {
		t.Errorf("%d calls, Err() = %v, observed %v", len(b.server.seen()), b.Err(), b.results)
	}
	if _, err := b.Authenticate(authn.WithCaller(t.Context(), authn.Caller{Known: true}), theToken); err != nil {
		t.Errorf("a known caller is kept out by new ones: %v", err)
	}
}

// A caller that leaves says nothing about the API server.
func TestCallerLeaves(t *testing.T) {
	always := func(a answer) func() answer { return func() answer { return a } }
	queue := func(b *bench) { b.new.wait = make(chan struct{}) }
	for name, tc := range map[string]struct {
		answer func() answer
		stay   time.Duration
		setup  func(*bench)
	}{
		"during the review":       {always(hang), time.Second, nil},
		"during the second":       {func() answer { return first(1, after(time.Second, text(500, "")), hang) }, 1500 * time.Millisecond, nil},
		"in the queue":            {always(yes), time.Second, queue},
		"before it":               {always(hang), 0, nil},
		"before it, and queueing": {always(hang), 0, queue},
	} {
		for ending, want := range map[string]error{"cancel": context.Canceled, "deadline": context.DeadlineExceeded} {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, tc.answer())
				if tc.setup != nil {
					tc.setup(b)
				}
				ctx, cancel := context.WithTimeout(t.Context(), tc.stay)
				if ending == "cancel" {
					ctx, cancel = context.WithCancel(t.Context())
					time.AfterFunc(tc.stay, cancel)
				}
				defer cancel()
				_, err := b.Authenticate(ctx, theToken)
				if !errors.Is(err, want) || errors.Is(err, authn.ErrUnavailable) {
					t.Errorf("%s, %s: err = %v, want %v", name, ending, err, want)
				}
				failed := name == "during the second" // the first, which alone says little
				if b.Err() != nil || len(b.results) > 0 != failed {
					t.Errorf("%s, %s: Err() = %v, observed %v", name, ending, b.Err(), b.results)
				}
			})
		}
	}
}

func TestNewRefuses(t *testing.T) {
	if _, err := New(Options{Host: "https://[::1", Client: http.DefaultClient}); err == nil {
		t.Error("an address that is none was accepted")
	}
}

// echoes are servers that send the request back, as debug pages do.
func echoes() map[string]answer {
	body := `{"spec":{"token":"` + theToken + `"}} Authorization: Bearer ` + ownToken
	st := func(s string) string {
		return fmt.Sprintf(`{"kind":"Status","apiVersion":"v1","status":"Failure","message":%q,"reason":%q}`, s, s)
	}
	padded := strings.Repeat("x ", 150) + theToken // cut in the signature, were it cut first
	e := map[string]answer{
		"in a no":         review(authenticationv1.TokenReviewStatus{Error: "cannot read " + theToken}),
		"late in a no":    review(authenticationv1.TokenReviewStatus{Error: strings.Repeat("y", 30) + " " + padded}),
		"signature alone": review(authenticationv1.TokenReviewStatus{Error: "bad signature " + signature}),
		"on the wire":     fails(errors.New("malformed HTTP response \"" + theToken + "\"")),
		"quoted":          fails(errors.New("\"" + theToken + "\\n" + ownToken + "\"")),
		"garbage":         text(201, body),
	}
	for _, code := range []int{200, 302, 400, 401, 403, 429, 500} {
		e[fmt.Sprint(code)] = text(code, body, "Content-Type", "text/html")
		e[fmt.Sprint(code, " Status")] = text(code, st(body))
		e[fmt.Sprint(code, " padded")] = text(code, st(padded))
	}
	return e
}

func TestNothingOfATokenInErrors(t *testing.T) {
	for name, a := range echoes() {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, a)
			_, err := b.Authenticate(t.Context(), theToken)
			for _, e := range []error{err, b.Err()} {
				if e == nil {
					continue
				}
				for _, secret := range []string{"SiGnAtUrE", "oWnSiG", "Y2xhaW1z"} {
					if strings.Contains(e.Error(), secret) {
						t.Errorf("%s: %v", name, e)
					}
				}
				if len(e.Error()) > 2*maxText {
					t.Errorf("%s: an error of %d bytes", name, len(e.Error()))
				}
			}
			if err == nil {
				t.Errorf("%s: no error", name)
			}
		})
	}
}

func TestClean(t *testing.T) {
	for _, tc := range []struct{ in, want string }{
		{"", ""},
		{`Post "https://10.0.0.1:443/apis": dial tcp: refused`, `Post "https://10.0.0.1:443/apis": dial tcp: refused`},
		{"no: " + theToken, "no: [...]"},
		{strings.Repeat(theToken+" ", 10), strings.Repeat("[...] ", 10)},
		{"a\xffb", "a?b"},
		{strings.Repeat("é ", maxText), strings.Repeat("é ", maxText/3) + "?"},
	} {
		if got := clean(tc.in); got != tc.want {
			t.Errorf("clean(%q) = %q, want %q", tc.in, got, tc.want)
		}
	}
}

func TestCures(t *testing.T) {
	for code, want := range map[int]string{401: "our own token, not the caller's", 403: "system:auth-delegator"} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, text(code, ""))
			if _, err := b.Authenticate(t.Context(), theToken); !strings.Contains(err.Error(), want) {
				t.Errorf("%d: %v does not say %q", code, err, want)
			}
		})
	}
}
