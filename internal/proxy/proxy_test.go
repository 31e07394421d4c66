package proxy

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"sallyport/internal/authn"
)

const secret = "s3cr3t.t0k3n.s1gn4tur3"

var alice = authn.Identity{
	Subject: "system:serviceaccount:shop:alice",
	UID:     "u-1",
	Groups:  []string{"system:serviceaccounts", "system:authenticated"},
	Extra:   map[string][]string{"authentication.kubernetes.io/pod-name": {"cart-0"}},
}

// admitSecret admits the one token and refuses every other.
var admitSecret = authn.Func(func(_ context.Context, token string) (authn.Identity, error) {
	if token != secret {
		return authn.Identity{}, authn.Refuse(authn.Signature, "not the one")
	}
	return alice, nil
})

// A rig is a gate on a real socket before an app on another.
type rig struct {
	addr string
	app  string // its address
	logs *observer.ObservedLogs
	seen *counter
	down func() // stops the app
	// asked is how many requests the app got.
	asked *atomic.Int64
}

// gate starts a gate before app. Every option that is nil gets a default that
// works.
func gate(t *testing.T, app http.HandlerFunc, o Options) *rig {
	t.Helper()
	asked := new(atomic.Int64)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		app(w, r)
	}))
	server.Config.Protocols = allProtocols()
	server.Start()
	t.Cleanup(server.Close)
	u, _ := url.Parse(server.URL)
	r := gateTo(t, UpstreamOptions{URL: u}, o)
	r.down, r.app, r.asked = server.Close, u.Host, asked
	return r
}

func gateTo(t *testing.T, up UpstreamOptions, o Options) *rig {
	t.Helper()
	transport, err := NewTransport(up)
	if err != nil {
		t.Fatal(err)
	}
	core, logs := observer.New(zapcore.DebugLevel)
	r := &rig{logs: logs, seen: &counter{}}
	r.seen.ledger = NewLedger(r.seen)
	o.Transport, o.Target, o.Log, o.Ledger = transport, transport.Target(), zap.New(core), r.seen.ledger
	if o.Authenticator == nil {
		o.Authenticator = admitSecret
	}
	handler, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.seen.inFlight.Add(1)
		defer r.seen.inFlight.Add(-1)
		handler.ServeHTTP(w, req)
	}))
	server.Config.Protocols = allProtocols()
	server.Config.DisableGeneralOptionsHandler = true
	server.Start()
	t.Cleanup(server.Close)
	t.Cleanup(transport.CloseIdleConnections)
	r.addr = server.Listener.Addr().String()
	return r
}

func allProtocols() *http.Protocols {
	p := new(http.Protocols)
	p.SetHTTP1(true)
	p.SetUnencryptedHTTP2(true)
	return p
}

// raw sends bytes and returns the first answer to them.
func (r *rig) raw(t *testing.T, request string) *http.Response {
	t.Helper()
	_, br := r.dial(t, request)
	res, err := http.ReadResponse(br, nil)
	if err != nil {
		t.Fatalf("%.60q: %v", request, err)
	}
	return res
}

func (r *rig) dial(t *testing.T, request string) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn, err := net.Dial("tcp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(10 * time.Second)) // a bug, not a hang
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	return conn, bufio.NewReader(conn)
}

// get returns a request's bytes, with the good token unless headers say
// otherwise.
func get(target string, headers ...string) string {
	return "GET " + target + " HTTP/1.1\r\nHost: shop.example\r\n" + lines(headers...) + "\r\n"
}

func lines(headers ...string) string {
	var b strings.Builder
	token := true
	for _, h := range headers {
		if h == "-" {
			token = false
			continue
		}
		b.WriteString(h + "\r\n")
		token = token && !strings.HasPrefix(h, "Authorization:")
	}
	if token {
		b.WriteString("Authorization: Bearer " + secret + "\r\n")
	}
	return b.String()
}

// last waits for the count'th request to be over and returns its outcome.
func (r *rig) last(t *testing.T, count int) outcome {
	t.Helper()
	return r.seen.wait(t, count)
}

type outcome struct {
	code   int
	reason authn.Reason
}

// A counter is an Observer.
type counter struct {
	ledger   *Ledger
	inFlight atomic.Int64

	mu       sync.Mutex
	outcomes []outcome
	done     []Done
}

func (c *counter) Ended(d *Done) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.outcomes = append(c.outcomes, outcome{d.Code, d.Reason})
	c.done = append(c.done, *d)
}

func (c *counter) wait(t *testing.T, count int) outcome {
	t.Helper()
	for range 1000 {
		c.ledger.Settle()
		c.mu.Lock()
		outcomes := c.outcomes
		c.mu.Unlock()
		if len(outcomes) >= count {
			return outcomes[count-1]
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("request %d is not over", count)
	return outcome{}
}

func echo(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.RequestURI) }

func errorOf(err error) authn.Func {
	return func(context.Context, string) (authn.Identity, error) { return authn.Identity{}, err }
}

func identityOf(id authn.Identity) authn.Func {
	return func(context.Context, string) (authn.Identity, error) { return id, nil }
}

func TestStatuses(t *testing.T) {
	const bare = `Bearer realm="sallyport"`
	const invalid = bare + `, error="invalid_token", error_description="`
	later := &authn.Error{Kind: authn.ErrUnavailable, Reason: authn.Overload, RetryAfter: 2500 * time.Millisecond}
	never := &authn.Error{Kind: authn.ErrUnavailable, Reason: authn.Overload, RetryAfter: time.Hour}
	for _, tc := range []struct {
		name      string
		auth      authn.Authenticator
		request   string
		code      int
		challenge string
		retry     string
		reason    authn.Reason
	}{
		{"good", nil, get("/"), 200, "", "", authn.OK},
		{"no token", nil, get("/", "-"), 401, bare, "", authn.Missing},
		{"other scheme", nil, get("/", "Authorization: Basic YTpi"), 401, bare, "", authn.Missing},
		{"malformed", nil, get("/", "Authorization: Bearer a b"), 400, bare + `, error="invalid_request", error_description="the Authorization header must be sent once, as: Bearer TOKEN"`, "", authn.Header},
		{"repeated", nil, get("/", "Authorization: Bearer "+secret, "Authorization: Bearer "+secret), 400, bare + `, error="invalid_request", error_description="the Authorization header must be sent once, as: Bearer TOKEN"`, "", authn.Header},
		{"too large", nil, get("/", "Authorization: Bearer "+strings.Repeat("a", authn.MaxToken+1)), 401, invalid + `the token is too large"`, "", authn.TooLarge},
		{"refused", nil, get("/", "Authorization: Bearer x"), 401, invalid + `the token was not accepted"`, "", authn.Signature},
		{"expired", errorOf(authn.Refuse(authn.Expired, "")), get("/"), 401, invalid + `the token has expired"`, "", authn.Expired},
		{"wrapped", errorOf(fmt.Errorf("x: %w", authn.Refuse(authn.Expired, ""))), get("/"), 401, invalid + `the token has expired"`, "", authn.Expired},
		{"outage", errorOf(authn.Unavailable(authn.KeysUnavailable, "")), get("/"), 503, "", "1", authn.KeysUnavailable},
		{"outage that knows its end", errorOf(later), get("/"), 503, "", "3", authn.Overload},
		{"outage without end", errorOf(never), get("/"), 503, "", "30", authn.Overload},
		{"error without a reason", errorOf(errors.New(secret)), get("/"), 500, "", "", authn.Internal},
		{"kind without a reason", errorOf(authn.ErrUnauthenticated), get("/"), 500, "", "", authn.Internal},
		{"kind unknown", errorOf(&authn.Error{Kind: io.EOF}), get("/"), 500, "", "", authn.Internal},
		{"somebody else's context", errorOf(context.Canceled), get("/"), 500, "", "", authn.Internal},
		{"nobody admitted", identityOf(authn.Identity{}), get("/"), 500, "", "", authn.Internal},
		{"panic", authn.Func(func(_ context.Context, token string) (authn.Identity, error) { panic("bad " + token) }), get("/"), 500, "", "", authn.Internal},
		{"runtime panic", authn.Func(func(context.Context, string) (authn.Identity, error) { panic(*new(error)) }), get("/"), 500, "", "", authn.Internal},
		{"odd path without token", nil, get("/a/../b", "-"), 401, bare, "", authn.Missing},
		{"odd path with token", nil, get("/a/../b"), 400, "", "", authn.Path},
		{"odd path, malformed header", nil, get("/a/../b", "Authorization: Bearer"), 400, bare + `, error="invalid_request", error_description="the Authorization header must be sent once, as: Bearer TOKEN"`, "", authn.Header},
		{"CONNECT", nil, strings.Replace(get("x.example:80"), "GET", "CONNECT", 1), 400, "", "", authn.Path},
		{"CONNECT with a path", nil, strings.Replace(get("/x"), "GET", "CONNECT", 1), 400, "", "", authn.Path},
		{"OPTIONS *", nil, strings.Replace(get("*"), "GET", "OPTIONS", 1), 400, "", "", authn.Path},
		{"OPTIONS * without token", nil, strings.Replace(get("*", "-"), "GET", "OPTIONS", 1), 401, bare, "", authn.Missing},
		{"preflight", nil, strings.Replace(get("/", "-", "Origin: https://x.example", "Access-Control-Request-Method: GET"), "GET", "OPTIONS", 1), 401, bare, "", authn.Missing},
		{"probe", nil, get("/healthz", "-", "User-Agent: kube-probe/1.37"), 401, bare, "", authn.Missing},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := gate(t, echo, Options{Authenticator: tc.auth})
			res := r.raw(t, tc.request)
			body, _ := io.ReadAll(res.Body)
			if res.StatusCode != tc.code || res.Header.Get("WWW-Authenticate") != tc.challenge || res.Header.Get("Retry-After") != tc.retry {
				t.Errorf("%d %v; want %d, challenge %q, retry %q", res.StatusCode, res.Header, tc.code, tc.challenge, tc.retry)
			}
			if got, want := r.last(t, 1), (outcome{tc.code, tc.reason}); got != want {
				t.Errorf("counted %v, want %v", got, want)
			}
			if tc.code != 200 {
				if want := http.StatusText(tc.code) + "\n"; string(body) != want || res.Header.Get("Cache-Control") != "no-store" {
					t.Errorf("body %q, want %q; %v", body, want, res.Header)
				}
			}
			noSecret(t, r, string(body))
		})
	}
}

// noSecret fails t if a part of the token is in r's log or in more.
func noSecret(t *testing.T, r *rig, more string) {
	t.Helper()
	for _, e := range r.logs.All() {
		more += fmt.Sprintln(e.Message, e.ContextMap())
	}
	for part := range strings.SplitSeq(secret, ".") {
		if strings.Contains(more, part) {
			t.Errorf("%s is in: %s", part, more)
		}
	}
}

func TestNew(t *testing.T) {
	good := Options{Authenticator: admitSecret, Target: &url.URL{}, Transport: http.DefaultTransport}
	if _, err := New(good); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Options){
		"no authenticator":   func(o *Options) { o.Authenticator = nil },
		"no target":          func(o *Options) { o.Target = nil },
		"no transport":       func(o *Options) { o.Transport = nil },
		"relative route":     func(o *Options) { o.Routes = []Route{{Path: "public"}} },
		"empty route":        func(o *Options) { o.Routes = []Route{{}} },
		"odd route":          func(o *Options) { o.Routes = []Route{{Path: "/a/../b/*"}} },
		"star inside":        func(o *Options) { o.Routes = []Route{{Path: "/a/*/b"}} },
		"star without slash": func(o *Options) { o.Routes = []Route{{Path: "/a*"}} },
		"query":              func(o *Options) { o.Routes = []Route{{Path: "/a?b"}} },
		"bad header":         func(o *Options) { o.Headers.User = "X User" },
		"reserved header":    func(o *Options) { o.Headers.User = "authorization" },
		"rebuilt header":     func(o *Options) { o.Headers.Group = "X-Forwarded-For" },
		"same twice":         func(o *Options) { o.Headers.User = "x-remote_group" },
		"prefix too wide":    func(o *Options) { o.Headers.ExtraPrefix = "X-Remote-" },
	} {
		o := good
		if change(&o); true {
			if _, err := New(o); err == nil {
				t.Errorf("%s: no error", name)
			}
		}
	}
}

func TestCallerOfAuthenticate(t *testing.T) {
	var got netip.Addr
	r := gate(t, echo, Options{Authenticator: authn.Func(func(ctx context.Context, _ string) (authn.Identity, error) {
		got = authn.CallerOf(ctx).Addr
		return alice, nil
	})})
	r.raw(t, get("/", "X-Forwarded-For: 192.0.2.1"))
	if want := netip.MustParseAddr("127.0.0.1"); got != want {
		t.Errorf("Caller.Addr = %v, want %v", got, want)
	}
}
