package proxy

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sallyport/internal/authn"
)

// An answer without a network, so that only the gate's own work is measured.
type canned struct{}

func (canned) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: 200, Request: r, ContentLength: 2, Body: io.NopCloser(strings.NewReader("ok")),
		Header: http.Header{"Content-Type": {"text/plain"}, "Content-Length": {"2"}},
	}, nil
}

func benchmark(b *testing.B, h http.Handler) {
	r := httptest.NewRequest("GET", "/api/v1/things?x=1", nil)
	r.Header = http.Header{
		"Authorization": {"Bearer " + secret}, "Accept": {"*/*"}, "User-Agent": {"bench"},
		"X-Request-Id": {"1"}, "Accept-Encoding": {"gzip"},
	}
	// As a server's, it can be cancelled.
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	r = r.WithContext(ctx)
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
}

// remembered is admitSecret, whose decision the cache would have.
var remembered = authn.Func(func(ctx context.Context, token string) (authn.Identity, error) {
	id, err := admitSecret(ctx, token)
	id.Memo = aliceMemo
	return id, err
})

var aliceMemo = new(atomic.Value)

func BenchmarkGate(b *testing.B) {
	h, err := New(Options{Authenticator: remembered, Target: &url.URL{Scheme: "http", Host: "app"}, Transport: canned{}})
	if err != nil {
		b.Fatal(err)
	}
	benchmark(b, h)
}

// BenchmarkRewrite is the hygiene of headers by itself: what a browser sends, with
// one header that claims to be somebody.
func BenchmarkRewrite(b *testing.B) {
	h, err := New(Options{Authenticator: admitSecret, Target: &url.URL{Scheme: "http", Host: "app"}, Transport: canned{}})
	if err != nil {
		b.Fatal(err)
	}
	p := h.(*proxy)
	in := httptest.NewRequest("GET", "/api/v1/things?x=1", nil)
	id, err := admitSecret.Authenticate(b.Context(), secret)
	if err != nil {
		b.Fatal(err)
	}
	x := &exchange{in: in, peer: peerOf(in), route: &Route{}, identity: id, claims: p.names.claims(&id)}
	x.target, _ = targetOf(in)
	for _, name := range []string{
		"Accept", "Accept-Encoding", "Accept-Language", "Cache-Control", "Cookie", "Origin", "Referer", "User-Agent",
		"Sec-Fetch-Dest", "Sec-Fetch-Mode", "Sec-Fetch-Site", "X-Request-Id", "X-Requested-With",
	} {
		in.Header[name] = []string{"a value"}
	}
	in.Header["Authorization"], in.Header["X_remote-User"] = []string{"Bearer " + secret}, []string{"admin"}
	var out http.Header
	b.ReportAllocs()
	for b.Loop() {
		out = p.header(in.Header, x)
	}
	if len(out["Authorization"])+len(out["X_remote-User"]) > 0 {
		b.Error("they went through")
	}
}

// BenchmarkGateStreams is what the watch over streams adds.
func BenchmarkGateStreams(b *testing.B) {
	streams, err := NewStreams(StreamOptions{Authenticator: admitSecret, Recheck: time.Minute})
	if err != nil {
		b.Fatal(err)
	}
	h, err := New(Options{Authenticator: remembered, Target: &url.URL{Scheme: "http", Host: "app"}, Transport: canned{}, Streams: streams})
	if err != nil {
		b.Fatal(err)
	}
	benchmark(b, h)
}

// BenchmarkSweep is a sweep over 10,000 requests that are all in order.
func BenchmarkSweep(b *testing.B) {
	s, err := NewStreams(StreamOptions{Authenticator: admitSecret, Recheck: time.Minute})
	if err != nil {
		b.Fatal(err)
	}
	now := time.Now()
	for range 10_000 {
		s.enter(b.Context(), nil, &http.Request{}, &exchange{identity: authn.Identity{Expires: now.Add(time.Hour)}}, secret)
	}
	b.ReportAllocs()
	for b.Loop() {
		s.sweep(b.Context(), now)
	}
}

// BenchmarkBare is the yardstick: a ReverseProxy that authenticates nothing.
func BenchmarkBare(b *testing.B) {
	target := &url.URL{Scheme: "http", Host: "app"}
	benchmark(b, &httputil.ReverseProxy{Transport: canned{}, Rewrite: func(pr *httputil.ProxyRequest) {
		pr.SetURL(target)
		pr.SetXForwarded()
	}})
}
