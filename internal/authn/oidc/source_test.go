package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"sallyport/internal/authn"
)

// A site is an in-memory web: each URL has a handler, and others are refused
// connections.
type site struct {
	mu    sync.Mutex
	pages map[string]http.HandlerFunc
	asked []string
}

func (s *site) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	s.asked = append(s.asked, r.URL.String())
	h := s.pages[r.URL.String()]
	s.mu.Unlock()
	if h == nil {
		return nil, errors.New("connection refused")
	}
	if r.Header.Get("Authorization") != "" {
		return nil, errors.New("a credential was sent")
	}
	w := httptest.NewRecorder()
	h(w, r)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return w.Result(), nil
}

func (s *site) seen() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked)
}

func (s *site) client() *http.Client { return &http.Client{Transport: s} }

func page(body []byte, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Add(header[i], header[i+1])
		}
		w.Write(body)
	}
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

func redirect(to string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, http.StatusFound) }
}

func never(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

func about(issuer, uri string) []byte {
	return must(json.Marshal(map[string]any{"issuer": issuer, "jwks_uri": uri, "response_types_supported": []string{"id_token"}}))
}

const (
	keysURL = "https://keys.example/jwks"
	docURL  = issuer + "/.well-known/openid-configuration"
)

func TestDiscovered(t *testing.T) {
	keys := jwks(jwk(p256(), "a", nil))
	good := about(issuer, keysURL)
	pages := func(doc, keys http.HandlerFunc) map[string]http.HandlerFunc {
		return map[string]http.HandlerFunc{docURL: doc, keysURL: keys}
	}
	for name, tc := range map[string]struct {
		pages  map[string]http.HandlerFunc
		result Result
		says   string
	}{
		"good":                      {pages(page(good), page(keys)), Fetched, ""},
		"another issuer":            {pages(page(about("https://other.example", keysURL)), page(keys)), Decode, "names the issuer"},
		"names in another case":     {pages(page([]byte(`{"Issuer":"`+issuer+`","JWKS_URI":"`+keysURL+`"}`)), page(keys)), Decode, "did not answer a discovery document"},
		"a name twice":              {pages(page([]byte(`{"issuer":"x","issuer":"`+issuer+`","jwks_uri":"`+keysURL+`"}`)), page(keys)), Decode, "did not answer a discovery document"},
		"issuer with a slash":       {pages(page(about(issuer+"/", keysURL)), page(keys)), Decode, "names the issuer"},
		"no issuer":                 {pages(page(about("", keysURL)), page(keys)), Decode, "discovery document"},
		"no jwks_uri":               {pages(page(about(issuer, "")), page(keys)), Decode, "jwks_uri"},
		"jwks_uri in clear":         {pages(page(about(issuer, "http://keys.example/jwks")), page(keys)), Decode, "only https"},
		"jwks_uri that is a file":   {pages(page(about(issuer, "file:///etc/passwd")), page(keys)), Decode, "jwks_uri"},
		"jwks_uri with a password":  {pages(page(about(issuer, "https://u:p@keys.example/jwks")), page(keys)), Decode, "jwks_uri"},
		"jwks_uri without a scheme": {pages(page(about(issuer, "keys.example/jwks")), page(keys)), Decode, "jwks_uri"},
		"document is HTML":          {pages(page([]byte("<html>")), page(keys)), Decode, "discovery document"},
		"document is a redirect":    {pages(redirect(keysURL), page(keys)), Status, "302"},
		"document is not there":     {pages(status(404), page(keys)), Status, "404"},
		"document is forbidden":     {pages(status(403), page(keys)), Forbidden, "403"},
		"document has no end":       {pages(page(make([]byte, maxDocument+1)), page(keys)), Decode, "more than"},
		"nobody there":              {pages(nil, page(keys)), Network, "refused"},
		"keys are a redirect":       {pages(page(good), redirect(docURL)), Status, "302"},
		"keys are a local redirect": {pages(page(good), redirect("/elsewhere")), Status, "302"},
		"keys are not there":        {pages(page(good), status(404)), Status, "404"},
		"keys are throttled":        {pages(page(good), status(429)), Throttled, "429"},
		"keys with 206":             {pages(page(good), status(206)), Status, "206"},
		"keys with 204":             {pages(page(good), status(204)), Status, "204"},
		"keys have no end":          {pages(page(good), page(make([]byte, maxDocument+1))), Decode, "more than"},
		"no keys":                   {pages(page(good), nil), Network, "refused"},
	} {
		s := &site{pages: tc.pages}
		doc, err := Discovered(issuer, "", s.client())(t.Context())
		if ResultOf(err) != tc.result || err != nil && !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %v is %s; want %s that says %q", name, err, ResultOf(err), tc.result, tc.says)
		}
		if (err == nil) != (string(doc.Keys) == string(keys)) || err != nil && doc.Keys != nil {
			t.Errorf("%s: %q, %v", name, doc.Keys, err)
		}
		for _, u := range s.asked {
			if u != docURL && u != keysURL {
				t.Errorf("%s: asked %s", name, u)
			}
		}
	}
}

func TestDiscoveryURL(t *testing.T) {
	keys := jwks(jwk(p256(), "a", nil))
	for _, tc := range []struct{ issuer, discovery, asks, says string }{
		{issuer, "", docURL, ""},
		{issuer + "/", "", docURL, ""},
		{issuer + "/realm", "", issuer + "/realm/.well-known/openid-configuration", ""},
		{issuer, "https://inside.example/d", "https://inside.example/d", ""},
		{"http://127.0.0.1:1", "", "http://127.0.0.1:1/.well-known/openid-configuration", ""},
		{"http://[::1]:1", "", "http://[::1]:1/.well-known/openid-configuration", ""},
		{"http://issuer.example", "", "", "only https"},
		{issuer, "http://inside.example/d", "", "only https"},
		{"http://127.0.0.1.example", "", "", "only https"},
		{"kubernetes", "", "", "not a plain https URL"},
	} {
		s := &site{pages: map[string]http.HandlerFunc{tc.asks: page(about(tc.issuer, keysURL)), keysURL: page(keys)}}
		_, err := Discovered(tc.issuer, tc.discovery, s.client())(t.Context())
		if tc.says == "" && (err != nil || s.asked[0] != tc.asks) || tc.says != "" && (err == nil || !strings.Contains(err.Error(), tc.says) || len(s.asked) > 0) {
			t.Errorf("%s %s: %v after %q", tc.issuer, tc.discovery, err, s.asked)
		}
	}
}

const host = "https://10.0.0.1:443"

// cluster returns a Cluster whose API server has inside, and where outside is
// what its Public client reaches.
func cluster(inside, outside *site, issuers ...string) *Cluster {
	c := &Cluster{Host: host, Client: inside.client(), Public: outside.client(), Issuers: NewNames(issuers...)}
	c.LearnIssuer = func(i string) { c.Issuers.Learn(i) }
	return c
}

func TestClusterKeys(t *testing.T) {
	keys, others := jwks(jwk(p256(), "a", nil)), jwks(jwk(p384(), "b", nil))
	doc := page(about(issuer, "https://192.0.2.2:6443/openid/v1/jwks"))
	inside := func(doc, keys http.HandlerFunc) *site {
		return &site{pages: map[string]http.HandlerFunc{host + wellKnown: doc, host + clusterKeys: keys}}
	}
	outside := func() *site {
		return &site{pages: map[string]http.HandlerFunc{docURL: page(about(issuer, keysURL)), keysURL: page(others)}}
	}
	known := []string{issuer}
	for name, tc := range map[string]struct {
		inside, outside *site
		known           []string
		keys            []byte
		says            []string
		outsideCalls    int
	}{
		"usual":                        {inside(doc, page(keys)), outside(), nil, keys, nil, 0},
		"keys alone, issuer known":     {inside(status(404), page(keys)), outside(), known, keys, nil, 0},
		"keys alone, no issuer":        {inside(status(404), page(keys)), outside(), nil, nil, []string{"--issuer", "404"}, 0},
		"discovery forbidden, unknown": {inside(status(403), page(keys)), outside(), nil, nil, []string{"--issuer", "403", "system:service-account-issuer-discovery"}, 0},
		"discovery hangs":              {inside(never, page(keys)), outside(), known, keys, nil, 0},
		"keys not served":              {inside(doc, status(404)), outside(), nil, others, nil, 2},
		"keys not served, no issuer":   {inside(status(404), status(404)), outside(), nil, nil, []string{"404", "--mode tokenreview"}, 0},
		"nor by the issuer":            {inside(doc, status(404)), &site{}, nil, nil, []string{"404", "--mode tokenreview", "refused"}, 1},
		"by the second issuer":         {inside(status(404), status(404)), outside(), []string{"https://gone.example", issuer}, others, nil, 3},
		"issuer is not a URL":          {inside(status(404), status(404)), outside(), []string{"kubernetes"}, nil, []string{"not a plain https URL"}, 0},
		"forbidden":                    {inside(status(403), status(403)), outside(), known, nil, []string{"403", "system:service-account-issuer-discovery", "--mode tokenreview"}, 0},
		"our token is refused":         {inside(status(401), status(401)), outside(), known, nil, []string{"401", "refuses our own token"}, 0},
		"a server in trouble":          {inside(status(500), status(500)), outside(), known, nil, []string{"500"}, 0},
		"nobody there":                 {&site{}, outside(), known, nil, []string{"refused"}, 0},
		"keys are a redirect":          {inside(doc, redirect(keysURL)), outside(), known, nil, []string{"302"}, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			c := cluster(tc.inside, tc.outside, tc.known...)
			ctx, cancel := context.WithTimeout(t.Context(), fetchTimeout)
			defer cancel()
			d, err := c.Keys(ctx)
			if (tc.keys == nil) != (err != nil) || err == nil && string(d.Keys) != string(tc.keys) {
				t.Errorf("%s: %q, %v", name, d.Keys, err)
			}
			for _, s := range tc.says {
				if err == nil || !strings.Contains(err.Error(), s) {
					t.Errorf("%s: %v does not say %q", name, err, s)
				}
			}
			if err != nil && strings.Contains(err.Error(), "%!") {
				t.Errorf("%s: %v", name, err)
			}
			if len(tc.outside.asked) != tc.outsideCalls {
				t.Errorf("%s: asked %q outside", name, tc.outside.asked)
			}
			for _, u := range tc.inside.asked {
				if !strings.HasPrefix(u, host+"/") {
					t.Errorf("%s: asked %s with our token", name, u)
				}
			}
		})
	}
}

func TestClusterLearnsItsIssuer(t *testing.T) {
	inside := &site{pages: map[string]http.HandlerFunc{
		host + wellKnown: page(about("https://new.example", "")), host + clusterKeys: page(jwks(jwk(p256(), "a", nil))),
	}}
	c := cluster(inside, &site{}, issuer)
	if _, err := c.Keys(t.Context()); err != nil || !slices.Equal(c.Issuers.All(), []string{issuer, "https://new.example"}) {
		t.Errorf("issuers %q, %v", c.Issuers.All(), err)
	}
	c.LearnIssuer = nil
	inside.asked = nil
	if _, err := c.Keys(t.Context()); err != nil || len(inside.asked) != 1 {
		t.Errorf("with issuers given: asked %q, %v", inside.asked, err)
	}
	c.Issuers = NewNames()
	if _, err := c.Keys(t.Context()); err == nil || !strings.Contains(err.Error(), "--issuer") || strings.Contains(err.Error(), "%!") {
		t.Errorf("without any issuer: %v", err)
	}
}

func TestRunIssuer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inside := &site{}
		c := cluster(inside, &site{})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- c.RunIssuer(ctx, 5*time.Minute) }()
		time.Sleep(time.Minute)
		if n := len(inside.seen()); n < 10 || n > 20 {
			t.Errorf("asked %d times in a minute without an issuer", n)
		}
		inside.mu.Lock()
		inside.pages = map[string]http.HandlerFunc{host + wellKnown: page(about(issuer, ""))}
		inside.asked = nil
		inside.mu.Unlock()
		time.Sleep(time.Hour)
		if n := len(inside.seen()); n < 12 || n > 17 || !c.Issuers.Has(issuer) {
			t.Errorf("asked %d times in an hour, issuers %q", n, c.Issuers.All())
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestMaxAge(t *testing.T) {
	for _, tc := range []struct {
		header []string
		want   time.Duration
	}{
		{nil, 0},
		{[]string{""}, 0},
		{[]string{"public"}, 0},
		{[]string{"public, max-age=3600"}, time.Hour},
		{[]string{"MAX-AGE=60"}, time.Minute},
		{[]string{`max-age="60"`}, time.Minute},
		{[]string{"public,max-age=60,must-revalidate"}, time.Minute},
		{[]string{"max-age=0"}, time.Second},
		{[]string{"no-cache"}, time.Second},
		{[]string{"no-store"}, time.Second},
		{[]string{"max-age=300, no-cache"}, time.Second},
		{[]string{"no-cache, max-age=300"}, time.Second},
		{[]string{"max-age=300, max-age=60"}, time.Minute},
		{[]string{"public", "max-age=60"}, time.Minute},
		{[]string{"s-maxage=60"}, 0},
		{[]string{"max-age=-1"}, 0},
		{[]string{"max-age=soon"}, 0},
		{[]string{"max-age"}, 0},
		{[]string{"max-age=99999999999999999999"}, 0},
		{[]string{"max-age=2147483647"}, 2147483647 * time.Second},
	} {
		if got := maxAge(http.Header{"Cache-Control": tc.header}); got != tc.want {
			t.Errorf("%q: %v, want %v", tc.header, got, tc.want)
		}
	}
}

func TestResultOf(t *testing.T) {
	s := httptest.NewUnstartedServer(status(200))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	defer s.Close()
	_, unverified := fetchKeys(t.Context(), &http.Client{Transport: &http.Transport{}}, s.URL)
	expired, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	_, late := fetchKeys(expired, http.DefaultClient, s.URL)
	for _, tc := range []struct {
		err  error
		want Result
	}{
		{nil, Fetched}, {unverified, TLS}, {fmt.Errorf("x: %w", authn.Unavailable(authn.OwnToken, "x")), NoToken}, {late, Timeout}, {errDown, Network},
		{fmt.Errorf("x: %w", &StatusError{"u", 401}), Unauthorized}, {&StatusError{"u", 403}, Forbidden},
		{&StatusError{"u", 429}, Throttled}, {&StatusError{"u", 500}, Status}, {errNoKeys, Empty}, {errDecode, Decode},
	} {
		if got := ResultOf(tc.err); got != tc.want {
			t.Errorf("%v: %s, want %s", tc.err, got, tc.want)
		}
	}
}

// The same over TLS and real sockets, down to a proven token.
func TestOverTLS(t *testing.T) {
	var s *httptest.Server
	s = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case wellKnown:
			w.Write(about(s.URL, s.URL+"/keys"))
		case "/keys":
			w.Write(jwks(jwk(p256(), "p256", nil)))
		}
	}))
	defer s.Close()
	keys := NewKeySet(s.URL, Discovered(s.URL, "", s.Client()), usual, zap.NewNop(), nil)
	<-keys.due()
	r := clusterRules()
	r.Issuers = NewNames(s.URL)
	if _, err := NewVerifier(r, keys).Authenticate(t.Context(), es256(nil, serviceAccountClaims(map[string]any{"iss": s.URL}))); err != nil {
		t.Error(err)
	}
}
