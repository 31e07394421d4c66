package oidc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
)

// maxDocument bounds a discovery document or JWK Set. Real ones have a few KiB;
// 100 RSA keys with certificate chains stay below it.
const maxDocument = 1 << 20

// ErrNotServed means that a server answered 404: it has no such document.
var ErrNotServed = errors.New("not served")

// A StatusError is an answer other than 200.
type StatusError struct {
	URL  string
	Code int
}

// Error implements error.
func (e *StatusError) Error() string { return fmt.Sprintf("%s answered %d", e.URL, e.Code) }

// Is makes a 404 an ErrNotServed.
func (e *StatusError) Is(target error) bool {
	return target == ErrNotServed && e.Code == http.StatusNotFound
}

// get fetches a document: one try, no redirects, at most maxDocument bytes. The
// client's transport decides which credential goes along, if any.
func get(ctx context.Context, client *http.Client, url string) ([]byte, http.Header, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, nil, err
	}
	// A redirect would take the request, and with it the trust in the answer,
	// to a host that nobody configured.
	c := *client
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := c.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, nil, &StatusError{URL: url, Code: resp.StatusCode}
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxDocument+1))
	if err != nil {
		return nil, nil, fmt.Errorf("reading %s: %w", url, err)
	}
	if len(body) > maxDocument {
		return nil, nil, fmt.Errorf("%w: %s answered more than %d bytes", errDecode, url, maxDocument)
	}
	return body, resp.Header, nil
}

// A discovery is what we need of an OpenID provider's metadata (OpenID Connect
// Discovery 1.0 section 3).
type discovery struct {
	Issuer  string `json:"issuer"`
	JWKSURI string `json:"jwks_uri"`
}

const wellKnown = "/.well-known/openid-configuration"

func discover(ctx context.Context, client *http.Client, url string) (d discovery, err error) {
	body, _, err := get(ctx, client, url)
	if err != nil {
		return d, err
	}
	if err := json.Unmarshal(body, &d); err != nil || d.Issuer == "" {
		return d, fmt.Errorf("%w: %s did not answer a discovery document", errDecode, url)
	}
	return d, nil
}

func fetchKeys(ctx context.Context, client *http.Client, url string) (Document, error) {
	body, header, err := get(ctx, client, url)
	return Document{Keys: body, MaxAge: maxAge(header)}, err
}

// maxAge returns the shortest time that Cache-Control allows (RFC 9111 section
// 5.2.2), and 0 where it says nothing. An explicit 0 becomes a second: it asks
// for fresh keys, and the key set has a floor of its own.
func maxAge(h http.Header) (age time.Duration) {
	for directive := range strings.SplitSeq(strings.ToLower(strings.Join(h.Values("Cache-Control"), ",")), ",") {
		d, ok := allowed(strings.TrimSpace(directive))
		if ok && (age == 0 || d < age) {
			age = max(d, time.Second)
		}
	}
	return age
}

func allowed(directive string) (d time.Duration, ok bool) {
	name, value, _ := strings.Cut(directive, "=")
	switch name {
	case "no-store", "no-cache":
		return 0, true
	case "max-age":
		n, err := strconv.ParseUint(strings.Trim(value, `"`), 10, 31)
		return time.Duration(n) * time.Second, err == nil
	}
	return 0, false
}

// checkURL refuses a URL that keys, or the way to them, must not be fetched from:
// what came in clear could be anybody's. http is for loopback.
func checkURL(what, raw string) error {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" {
		return fmt.Errorf("%w: the issuer's %s is not a plain https URL", errDecode, what)
	}
	if u.Scheme == "https" || u.Scheme == "http" && isLoopback(u.Hostname()) {
		return nil
	}
	return fmt.Errorf("%w: the issuer's %s has the scheme %q; only https is followed", errDecode, what, u.Scheme)
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
