package doctor

import (
	"crypto/tls"
	"errors"
	"net/http"
	"strings"
	"time"

	"sallyport/internal/authn"
	"sallyport/internal/authn/oidc"
	"sallyport/internal/span"
)

// trust is how the API server's certificate comes to be trusted.
const trust = "the CA stands beside our own token, as ca.crt from the ConfigMap kube-root-ca.crt, or in the kubeconfig: it must be this cluster's"

// audience is why an API server may refuse a token that is fine otherwise.
const audience = "see the line about our own token; if that is well, it is not for the API server (its projection must have no audience), or its service account is gone"

// APIServer judges a call to the API server, whatever was asked.
func APIServer(host string, resp *http.Response, err error, took time.Duration) Line {
	var ours *authn.Error
	var unverified *tls.CertificateVerificationError
	switch {
	case errors.As(err, &ours) && ours.Reason == authn.OwnToken:
		return Skip("not called, as we have no token of our own to call it with")
	case errors.As(err, &unverified):
		return line(Failed, "%s has a certificate that we do not trust: %v", host, unverified.Err).fix("%s", trust)
	case err != nil:
		return line(Failed, "%s cannot be reached: %v", host, err).fix("let this pod reach it: a NetworkPolicy, a firewall, or the API server itself")
	case resp.StatusCode == http.StatusUnauthorized:
		return line(Failed, "%s refuses our own token", host).fix("%s", audience)
	case resp.StatusCode >= 500 || resp.StatusCode == http.StatusTooManyRequests:
		return line(Failed, "%s answers %s", host, resp.Status).fix("look at the API server: it is overloaded or unwell")
	}
	return line(OK, "%s answers within %v", host, took.Round(time.Millisecond))
}

const (
	// exact is what a Date of whole seconds and a call of a second leave open.
	exact = 2 * time.Second
)

// Clock compares our clock with the Date of an answer that came between two
// moments. The leeway is what tokens are granted.
func Clock(resp *http.Response, before, after time.Time, leeway time.Duration) Line {
	if resp == nil {
		return Skip("not compared, as the API server did not answer")
	}
	date, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil {
		return Skip("not compared, as the API server's answer has no Date")
	}
	// A Date is cut to the second: half of one is added.
	skew := date.Add(time.Second / 2).Sub(before.Add(after.Sub(before) / 2))
	off, which, then := skew.Abs(), "behind", "new tokens are refused as not yet valid, and in mode oidc expired ones let in"
	if skew < 0 {
		which, then = "ahead of", "tokens are refused as expired before they are"
	}
	const cure = "let the nodes keep the time (chrony, systemd-timesyncd)"
	switch uncertain := exact + after.Sub(before); {
	case off <= uncertain:
		return line(OK, "ours is that of the API server, within %s", span.Text(max(uncertain, time.Second)))
	case off < leeway:
		return line(Warning, "ours is %s %s the API server's; --leeway covers %s", span.Text(off), which, span.Text(leeway)).fix("%s", cure)
	}
	return line(Failed, "ours is %s %s the API server's, and --leeway covers %s: %s", span.Text(off), which, span.Text(leeway), then).
		fix("%s", cure)
}

// Reviews judges whether we may ask the API server about tokens.
func Reviews(err error, s Subject) Line {
	switch authn.ReasonOf(err) {
	case authn.ReviewForbidden:
		return line(Failed, "we may not create tokenreviews.authentication.k8s.io: callers get 503 with the reason review_forbidden").fix("%s", s.mayReview())
	case authn.OwnToken:
		return line(Failed, "%s", detail(err)).fix("%s", audience)
	}
	if err != nil {
		return line(Failed, "%s", detail(err)).fix("see the line about the API server")
	}
	return line(OK, "the API server answers our questions about tokens")
}

// Keys judges a fetch of keys, or of a discovery document, from the API server.
// Needed says that nobody is let in without.
func Keys(what string, err error, needed bool, s Subject) Line {
	bad := Warning
	if needed {
		bad = Failed
	}
	switch oidc.ResultOf(err) {
	case oidc.Fetched:
		return line(OK, "%s: fetched", what)
	case oidc.Forbidden:
		return line(bad, "%s: we may not read them", what).fix("%s", s.mayDiscover())
	case oidc.Unauthorized, oidc.NoToken:
		return line(bad, "%s: %s", what, detail(err)).fix("%s", audience)
	}
	if errors.Is(err, oidc.ErrNotServed) {
		return line(bad, "%s: not served: %s", what, detail(err)).fix("--mode tokenreview needs no keys; or --service-account-issuer of the API server must be an https URL")
	}
	return line(bad, "%s: %s", what, detail(err)).fix("see the line about the API server")
}

// Issuer judges a fetch of another issuer's keys.
func Issuer(url string, err error) Line {
	var unverified *tls.CertificateVerificationError
	switch {
	case err == nil:
		return line(OK, "the keys of %s: fetched", url)
	case errors.As(err, &unverified):
		return line(Failed, "%s has a certificate that we do not trust: %v", url, unverified.Err).fix("write its CA as issuer.certificateAuthority in the file of --config")
	}
	return line(Failed, "the keys of %s: %s", url, detail(err)).
		fix("its discovery document must be reached from this pod and name the issuer exactly so: see docs/other-issuers.md")
}

// detail leaves out the words for a caller's token.
func detail(err error) string {
	var e *authn.Error
	if errors.As(err, &e) {
		return oneLine(e.Detail)
	}
	return oneLine(err.Error())
}

// oneLine is for errors that were joined, each on a line of its own.
func oneLine(text string) string {
	return authn.Redact(strings.ReplaceAll(text, "\n", "; "))
}
