package proxy

import (
	"crypto/x509"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"sallyport/internal/authn"
)

func mustURL(t testing.TB, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// quiet hears what servers say of clients that do not trust them.
var quiet = log.New(io.Discard, "", 0)

func protoApp(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Upgrade") != "" {
		tunnel("websocket")(w, r)
		return
	}
	io.WriteString(w, r.Proto+" "+r.Host)
}

// upgrades reports whether a WebSocket goes through r.
func upgrades(t *testing.T, r *rig) bool {
	conn, br := r.dial(t, get("/", upgradeRequest))
	if res, err := http.ReadResponse(br, nil); err != nil || res.StatusCode != 101 {
		t.Logf("%v, %v", res, err)
		return false
	}
	io.WriteString(conn, "hello\n")
	line, _ := br.ReadString('\n')
	return line == "app: hello\n"
}

func TestSchemes(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	plain := httptest.NewUnstartedServer(http.HandlerFunc(protoApp))
	plain.Config.Protocols = allProtocols()
	plain.Start()
	secure := httptest.NewUnstartedServer(http.HandlerFunc(protoApp))
	secure.EnableHTTP2 = true
	secure.Config.ErrorLog = quiet
	secure.StartTLS()
	socket := filepath.Join(t.TempDir(), "app.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	unix := &httptest.Server{Listener: l, Config: &http.Server{Handler: http.HandlerFunc(protoApp)}}
	unix.Start()
	for _, s := range []*httptest.Server{plain, secure, unix} {
		t.Cleanup(s.Close)
	}
	roots := x509.NewCertPool()
	roots.AddCert(secure.Certificate())
	trust := func() *x509.CertPool { return roots }
	for _, tc := range []struct {
		name string
		o    UpstreamOptions
		want string
	}{
		{"http", UpstreamOptions{URL: mustURL(t, plain.URL)}, "HTTP/1.1 shop.example"},
		{"h2c", UpstreamOptions{URL: mustURL(t, strings.Replace(plain.URL, "http", "h2c", 1))}, "HTTP/2.0 shop.example"},
		{"unix", UpstreamOptions{URL: &url.URL{Scheme: "unix", Path: socket}}, "HTTP/1.1 shop.example"},
		{"https", UpstreamOptions{URL: mustURL(t, secure.URL), Roots: trust}, "HTTP/2.0 shop.example"},
		{"https, HTTP/1.1 only", UpstreamOptions{URL: mustURL(t, secure.URL), Roots: trust, HTTP1Only: true}, "HTTP/1.1 shop.example"},
		{"https by name", UpstreamOptions{URL: mustURL(t, secure.URL), Roots: trust, ServerName: "example.com"}, "HTTP/2.0 shop.example"},
		{"https, wrong name", UpstreamOptions{URL: mustURL(t, secure.URL), Roots: trust, ServerName: "other.test"}, ""},
		{"https, no roots", UpstreamOptions{URL: mustURL(t, secure.URL), Roots: x509.NewCertPool}, ""},
		{"https, system's roots", UpstreamOptions{URL: mustURL(t, secure.URL)}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := gateTo(t, tc.o, Options{})
			res := r.raw(t, get("/"))
			body, _ := io.ReadAll(res.Body)
			if tc.want == "" {
				if res.StatusCode != 502 || r.last(t, 1).reason != authn.UpstreamBroken {
					t.Errorf("%d %q %v", res.StatusCode, body, r.last(t, 1))
				}
				return
			}
			if string(body) != tc.want {
				t.Errorf("%d %q, want %q", res.StatusCode, body, tc.want)
			}
			if !upgrades(t, r) {
				t.Error("no WebSocket")
			}
		})
	}
}

// New roots count from the next connection on.
func TestRootsChange(t *testing.T) {
	app := httptest.NewUnstartedServer(http.HandlerFunc(protoApp))
	app.Config.ErrorLog = quiet
	app.StartTLS()
	t.Cleanup(app.Close)
	var roots atomic.Pointer[x509.CertPool]
	roots.Store(x509.NewCertPool())
	r := gateTo(t, UpstreamOptions{URL: mustURL(t, app.URL), Roots: roots.Load}, Options{})
	if res := r.raw(t, get("/")); res.StatusCode != 502 {
		t.Fatalf("unknown authority: %d", res.StatusCode)
	}
	good := x509.NewCertPool()
	good.AddCert(app.Certificate())
	roots.Store(good)
	if res := r.raw(t, get("/")); res.StatusCode != 200 {
		t.Errorf("known authority: %d", res.StatusCode)
	}
}

func TestNewTransport(t *testing.T) {
	for _, u := range []string{"ftp://x", "x", "", "http:///a", "https://", "unix://", "h2c://:80"} {
		if _, err := NewTransport(UpstreamOptions{URL: mustURL(t, u)}); err == nil {
			t.Errorf("%q: no error", u)
		}
	}
	if _, err := NewTransport(UpstreamOptions{}); err == nil {
		t.Error("no URL: no error")
	}
	tr, err := NewTransport(UpstreamOptions{URL: mustURL(t, "https://app.example:8443/ignored?x")})
	if err != nil || tr.Target().String() != "https://app.example:8443" {
		t.Errorf("%v, %v", tr.Target(), err)
	}
}

// Redirects are the caller's to follow.
func TestNoRedirect(t *testing.T) {
	r := gate(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/other", http.StatusFound) }, Options{})
	if res := r.raw(t, get("/")); res.StatusCode != http.StatusFound || res.Header.Get("Location") != "/other" {
		t.Errorf("%d %v", res.StatusCode, res.Header)
	}
}
