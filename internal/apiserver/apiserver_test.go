package apiserver

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"sallyport/internal/authn"
)

// A server counts its calls and remembers the credential of the last one.
type server struct {
	*httptest.Server
	calls         atomic.Int32
	authorization atomic.Value
}

func serve(t *testing.T, answer http.HandlerFunc) *server {
	s := &server{}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.calls.Add(1)
		s.authorization.Store(r.Header.Get("Authorization"))
		answer(w, r)
	}))
	// A refused handshake is what some tests are about.
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func ok(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok") }

func (s *server) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	return pool
}

// roots are Roots that a test changes.
type roots struct {
	mu     sync.Mutex
	pool   *x509.CertPool
	next   *x509.CertPool // what Reread finds
	reread int
}

func (r *roots) Roots() *x509.CertPool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.pool
}

func (r *roots) Reread() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reread++
	if r.next == nil {
		return false
	}
	r.pool, r.next = r.next, nil
	return true
}

func token(s string) func() (string, error) {
	return func() (string, error) { return s, nil }
}

func newClient(t *testing.T, host string, r Roots, tok func() (string, error)) *http.Client {
	t.Helper()
	c, err := New(Options{Host: host, Roots: r, Token: tok})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

func get(t *testing.T, c *http.Client, url string) (string, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}

func TestTokenOfEachRequest(t *testing.T) {
	s := serve(t, ok)
	var current atomic.Value
	current.Store("first")
	c := newClient(t, s.URL, fixed{s.pool()}, func() (string, error) { return current.Load().(string), nil })
	for _, tok := range []string{"first", "second"} {
		current.Store(tok)
		if body, err := get(t, c, s.URL+"/x"); err != nil || body != "ok" {
			t.Fatalf("%q, %v", body, err)
		}
		if got := s.authorization.Load(); got != "Bearer "+tok {
			t.Errorf("Authorization = %q, want the token %q", got, tok)
		}
	}
}

func TestRequestIsNotChanged(t *testing.T) {
	s := serve(t, ok)
	c := newClient(t, s.URL, fixed{s.pool()}, token("t"))
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL, nil)
	resp, err := c.Transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if h := req.Header.Get("Authorization"); h != "" {
		t.Errorf("the caller's request got the header %q", h)
	}
}

func TestNoOtherHost(t *testing.T) {
	s, other := serve(t, ok), serve(t, ok)
	asked := 0
	both := s.pool()
	both.AddCert(other.Certificate())
	c := newClient(t, s.URL, fixed{both}, func() (string, error) { asked++; return "t", nil })
	host := strings.TrimPrefix(s.URL, "https://")
	for name, url := range map[string]string{
		"another host":      other.URL,
		"in clear":          "http://" + host,
		"another port":      "https://127.0.0.1:1",
		"another name":      strings.Replace(s.URL, "127.0.0.1", "localhost", 1),
		"host in the user":  "https://" + host + "@127.0.0.1:1/",
		"another scheme":    "ftp://" + host,
		"host without port": "https://127.0.0.1/",
	} {
		if _, err := get(t, c, url); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if s.calls.Load()+other.calls.Load() != 0 || asked != 0 {
		t.Errorf("%d and %d calls, %d tokens taken; want none", s.calls.Load(), other.calls.Load(), asked)
	}
}

// body notes that it was closed, as every transport must see to.
type body struct {
	io.Reader
	closed bool
}

func (b *body) Close() error { b.closed = true; return nil }

func TestBodyOfAnUnsentRequestIsClosed(t *testing.T) {
	s := serve(t, ok)
	none := func() (string, error) { return "", errors.New("no token yet") }
	c := newClient(t, s.URL, fixed{s.pool()}, none)
	for _, url := range []string{s.URL, "https://other.example"} {
		b := &body{Reader: strings.NewReader("x")}
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, url, b)
		if _, err := c.Transport.RoundTrip(req); err == nil || !b.closed {
			t.Errorf("%s: err = %v, body closed: %v", url, err, b.closed)
		}
	}
}

func TestNoTokenSendsNothing(t *testing.T) {
	s := serve(t, ok)
	c := newClient(t, s.URL, fixed{s.pool()}, func() (string, error) { return "", errors.New("the file is empty") })
	_, err := get(t, c, s.URL)
	if !errors.Is(err, authn.ErrUnavailable) || authn.ReasonOf(err) != authn.OwnToken || !strings.Contains(err.Error(), "the file is empty") {
		t.Errorf("err = %v, want our own token's", err)
	}
	if n := s.calls.Load(); n != 0 {
		t.Errorf("%d calls, want none", n)
	}
}

func TestRedirectIsNotFollowed(t *testing.T) {
	other := serve(t, ok)
	var self *server
	for name, to := range map[string]func() string{
		"another host":  func() string { return other.URL },
		"the same host": func() string { return self.URL + "/elsewhere" },
	} {
		self = serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to(), http.StatusTemporaryRedirect) })
		c := newClient(t, self.URL, fixed{self.pool()}, token("t"))
		resp, err := c.Get(self.URL)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusTemporaryRedirect || self.calls.Load() != 1 || other.calls.Load() != 0 {
			t.Errorf("%s: status %d after %d calls here and %d there", name, resp.StatusCode, self.calls.Load(), other.calls.Load())
		}
	}
}

func TestProxyOfTheEnvironmentIsIgnored(t *testing.T) {
	tr := newTransport(&tls.Config{})
	if tr.Proxy != nil {
		t.Error("the transport asks for a proxy")
	}
}

func TestAnswersAreBounded(t *testing.T) {
	for _, tc := range []struct {
		size int
		want error
	}{{0, nil}, {1, nil}, {maxAnswer - 1, nil}, {maxAnswer, nil}, {maxAnswer + 1, errTooLong}, {8 * maxAnswer, errTooLong}} {
		b := &boundedBody{io.NopCloser(strings.NewReader(strings.Repeat("x", tc.size))), maxAnswer}
		got, err := io.ReadAll(b)
		if !errors.Is(err, tc.want) || len(got) != min(tc.size, maxAnswer) {
			t.Errorf("%d bytes: %d read, err = %v, want %v", tc.size, len(got), err, tc.want)
		}
	}
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		for chunk := strings.Repeat("x", 64<<10); ; {
			if _, err := io.WriteString(w, chunk); err != nil {
				return
			}
		}
	})
	if _, err := get(t, newClient(t, s.URL, fixed{s.pool()}, token("t")), s.URL); !errors.Is(err, errTooLong) {
		t.Errorf("an answer without an end: err = %v", err)
	}
}

func TestRootsChange(t *testing.T) {
	s := serve(t, ok)
	r := &roots{pool: s.pool()}
	c := newClient(t, s.URL, r, token("t"))
	if _, err := get(t, c, s.URL); err != nil {
		t.Fatal(err)
	}
	// An open connection must not outlive the roots that it was made under.
	r.mu.Lock()
	r.pool = x509.NewCertPool()
	r.mu.Unlock()
	if _, err := get(t, c, s.URL); err == nil {
		t.Error("the server is still believed after its CA was withdrawn")
	}
	r.mu.Lock()
	r.pool = s.pool()
	r.mu.Unlock()
	if _, err := get(t, c, s.URL); err != nil {
		t.Errorf("with the CA back: %v", err)
	}
}

func TestUnverifiedServerRereadsRoots(t *testing.T) {
	s := serve(t, ok)
	r := &roots{pool: x509.NewCertPool(), next: s.pool()}
	c := newClient(t, s.URL, r, token("t"))
	if _, err := get(t, c, s.URL); err == nil || r.reread != 1 {
		t.Fatalf("err = %v after %d rereads, want an error and one", err, r.reread)
	}
	if s.authorization.Load() != nil {
		t.Error("our token went to a server that had not proven itself")
	}
	if _, err := get(t, c, s.URL); err != nil {
		t.Errorf("after the reread: %v", err)
	}
	s.Close()
	if _, err := get(t, c, s.URL); err == nil || r.reread != 1 {
		t.Errorf("a refused connection: err = %v, %d rereads; want no further one", err, r.reread)
	}
}

func TestTransportIsKept(t *testing.T) {
	s := serve(t, ok)
	tr := &transport{roots: fixed{s.pool()}, token: token("t")}
	if first := tr.base(); tr.base() != first {
		t.Error("the roots are the same, and the transport is not")
	}
}

func TestNewRefuses(t *testing.T) {
	good := Options{Host: "https://10.0.0.1:443", Roots: fixed{x509.NewCertPool()}, Token: token("t")}
	if _, err := New(good); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Options){
		"in clear":  func(o *Options) { o.Host = "http://10.0.0.1:443" },
		"no scheme": func(o *Options) { o.Host = "10.0.0.1:443" },
		"no host":   func(o *Options) { o.Host = "https://" },
		"empty":     func(o *Options) { o.Host = "" },
		"no URL":    func(o *Options) { o.Host = "https://[::1" },
		"no roots":  func(o *Options) { o.Roots = nil },
		"no token":  func(o *Options) { o.Token = nil },
	} {
		o := good
		change(&o)
		if _, err := New(o); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
