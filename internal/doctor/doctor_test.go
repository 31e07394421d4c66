package doctor

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sallyport/internal/authn"
	"sallyport/internal/authn/jwt"
	"sallyport/internal/tokenfile"
)

// Whatever a check waits for, the whole is over in time, and in order.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		begin := time.Now()
		lines := Run(t.Context(), []Check{
			{"deaf", func(context.Context) []Line { <-release; return nil }},
			{"slow", func(context.Context) []Line { time.Sleep(5 * time.Second); return []Line{Well("a"), Skip("b")} }},
			{"patient", func(ctx context.Context) []Line { <-ctx.Done(); return []Line{Broken(ctx.Err(), "c")} }},
			{"none", func(context.Context) []Line { return nil }},
			{"quick", func(context.Context) []Line { return []Line{Warn("d", "e")} }},
		})
		close(release)
		if took := time.Since(begin); took != Each {
			t.Errorf("it took %v", took)
		}
		var about []string
		for _, l := range lines {
			about = append(about, l.About+" "+string(l.State))
		}
		// The third has its answer when its time is over, or a moment too late.
		if got := strings.Join(about, ", "); got != "deaf failed, slow ok, slow skipped, patient failed, quick warning" || Failures(lines) != 2 {
			t.Errorf("%s", got)
		}
	})
}

func TestText(t *testing.T) {
	var b bytes.Buffer
	if err := Text(&b, []Line{{"x", OK, "fine", ""}, {"y", Failed, "\x1b[31m", "run this"}, {"z", Skipped, "s", ""}, {"w", Warning, "v", "u"}}); err != nil {
		t.Fatal(err)
	}
	want := "ok       x               fine\n" +
		"FAILED   y               \"\\x1b[31m\"\n                         fix: run this\n" +
		"-        z               s\n" +
		"warning  w               v\n                         fix: u\n\n1 failed, 1 to be warned of, 1 well\n"
	if b.String() != want {
		t.Errorf("%s", b.String())
	}
}

func TestClock(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	dated := func(d time.Duration) *http.Response {
		return &http.Response{Header: http.Header{"Date": {now.Add(d).Format(http.TimeFormat)}}}
	}
	for name, c := range map[string]struct {
		resp *http.Response
		took time.Duration
		want State
		text string
	}{
		"the same":                 {dated(0), 0, OK, "within 2 s"},
		"a second":                 {dated(-time.Second), 0, OK, "within 2 s"},
		"three behind":             {dated(3 * time.Second), 0, Warning, "ours is 4 s behind the API server's; --leeway covers 1 m"},
		"three, and a slow answer": {dated(3 * time.Second), 2 * time.Second, OK, "within 4 s"},
		"three ahead":              {dated(-3 * time.Second), 0, Warning, "ours is 3 s ahead of the API server's"},
		"two minutes ahead":        {dated(-2 * time.Minute), 0, Failed, "ours is 2 m ahead of the API server's, and --leeway covers 1 m: tokens are refused as expired before they are"},
		"a minute":                 {dated(time.Minute), 0, Failed, "ours is 1 m 1 s behind the API server's, and --leeway covers 1 m: "},
		"no answer":                {nil, 0, Skipped, "did not answer"},
		"no date":                  {&http.Response{}, 0, Skipped, "no Date"},
		"another date":             {&http.Response{Header: http.Header{"Date": {"tomorrow"}}}, 0, Skipped, "no Date"},
	} {
		l := Clock(c.resp, now, now.Add(c.took), time.Minute)
		if l.State != c.want || !strings.Contains(l.Text, c.text) || (l.Fix == "") != (c.want == OK || c.want == Skipped) {
			t.Errorf("%s: %+v", name, l)
		}
	}
}

func TestCertificate(t *testing.T) {
	const day = 24 * time.Hour
	now := time.Now()
	for name, c := range map[string]struct {
		since, left time.Duration
		want        State
	}{
		"new":                  {day, 89 * day, OK},
		"of three months":      {75 * day, 15 * day, OK},
		"and two weeks left":   {77 * day, 13 * day, Warning},
		"of a day":             {12 * time.Hour, 12 * time.Hour, OK},
		"in its last fifth":    {20 * time.Hour, 4 * time.Hour, Warning},
		"of ten years":         {3600 * day, 50 * day, OK},
		"over":                 {90 * day, 0, Failed},
		"not yet valid":        {-time.Hour, day, Failed},
		"over before it began": {-time.Hour, -day, Failed},
	} {
		leaf := &x509.Certificate{NotBefore: now.Add(-c.since), NotAfter: now.Add(c.left)}
		if l := Certificate("file", leaf, now); l.State != c.want {
			t.Errorf("%s: %+v", name, l)
		}
	}
}

// The commands can be run as they are.
func TestSubject(t *testing.T) {
	s := SubjectOf(&jwt.Claims{Kubernetes: &jwt.Kubernetes{Namespace: "shop", ServiceAccount: jwt.Ref{Name: "gate"}}})
	if got := s.mayDiscover(); got != "kubectl create clusterrolebinding sallyport-discovery-shop-gate --clusterrole=system:service-account-issuer-discovery --serviceaccount=shop:gate" {
		t.Error(got)
	}
	if got := s.mayReview(); !strings.HasSuffix(got, "; kubectl create clusterrolebinding sallyport-tokenreview-shop-gate --clusterrole=sallyport-tokenreview --serviceaccount=shop:gate") {
		t.Error(got)
	}
	for _, c := range []*jwt.Claims{nil, {}, {Kubernetes: &jwt.Kubernetes{Namespace: "shop"}}} {
		if got := SubjectOf(c).mayDiscover(); !strings.HasSuffix(got, " --user=USER-OF-THE-KUBECONFIG") || !strings.Contains(got, " sallyport-discovery-user-of-the-kubeconfig ") {
			t.Error(got)
		}
	}
}

// A server's words do not take a token to the terminal.
func TestDetail(t *testing.T) {
	token := strings.Repeat("abcdefgh", 20)
	for _, err := range []error{errors.New("echo " + token), authn.Unavailable(authn.ReviewFailed, "echo %s", token)} {
		lines := append(OwnToken(tokenfile.Status{LastError: err.Error()}, nil, token, time.Now()), Reviews(err, "--user=x"), Keys("keys", err, true, "--user=x"), Issuer("https://x", err))
		for _, l := range lines {
			if strings.Contains(l.Text+l.Fix, "abcdefgh") || l.State != Failed || l.Fix == "" {
				t.Errorf("%+v", l)
			}
		}
	}
}
