package demo

import (
	"context"
	"errors"
	"io"
	stdlog "log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"

	"sallyport/internal/authn"
	"sallyport/internal/authn/jwt"
)

// page is an app that says nothing.
var page = http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})

// A fake is a gate that is wrong in some way. It hands the request to the app,
// or answers itself.
type fake func(w http.ResponseWriter, r *http.Request, app http.Handler)

// serveFake serves a fake as if it were a gate that is always ready.
func serveFake(f fake) Serve { return serveWith(f, page) }

func serveWith(f fake, probes http.Handler) Serve {
	return func(ctx context.Context, args []string, log io.Writer) (*Gate, error) {
		io.WriteString(log, "fake: at your service\n")
		upstream, err := url.Parse(valueOf(args, "--upstream"))
		if err != nil {
			return nil, err
		}
		app := httputil.NewSingleHostReverseProxy(upstream)
		app.ErrorLog = stdlog.New(io.Discard, "", 0) // callers leave when a test ends
		data := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { f(w, r, app) }))
		admin := httptest.NewServer(probes)
		return &Gate{
			Data: data.Listener.Addr().String(), Admin: admin.Listener.Addr().String(),
			Wait: func() error { <-ctx.Done(); data.Close(); admin.Close(); return nil },
		}, nil
	}
}

func valueOf(args []string, flag string) string {
	for _, a := range args {
		if v, ok := strings.CutPrefix(a, flag+"="); ok {
			return v
		}
	}
	return ""
}

// tellApp says who the token claims to be from, as a gate does after it has looked.
func tellApp(r *http.Request, token string) {
	r.Header.Del("Authorization")
	r.Header.Set(userHeader, "")
	if t, err := jwt.Decode(token); err == nil {
		r.Header.Set(userHeader, t.Claims.Subject)
		r.Header.Set(credentialHeader, "JTI="+t.Claims.ID)
	}
}

func bearer(r *http.Request) string { t, _ := authn.BearerToken(r.Header); return t }

// admitAll believes everybody.
func admitAll(w http.ResponseWriter, r *http.Request, app http.Handler) {
	tellApp(r, bearer(r))
	app.ServeHTTP(w, r)
}

// refuseAll believes nobody.
func refuseAll(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
	w.Header().Set("WWW-Authenticate", `Bearer realm="fake", error="invalid_token", error_description="the token was not accepted"`)
	w.WriteHeader(http.StatusUnauthorized)
}

// shrugAll never knows.
func shrugAll(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
	w.Header().Set("Retry-After", "1")
	w.WriteHeader(http.StatusServiceUnavailable)
}

// handToken gives the app the token.
func handToken(w http.ResponseWriter, r *http.Request, app http.Handler) {
	token := r.Header["Authorization"]
	tellApp(r, bearer(r))
	r.Header["Authorization"] = token
	app.ServeHTTP(w, r)
}

// keepClaim leaves the caller's word for who it is beside its own.
func keepClaim(w http.ResponseWriter, r *http.Request, app http.Handler) {
	claimed := r.Header.Values(userHeader)
	tellApp(r, bearer(r))
	for _, c := range claimed {
		r.Header.Add(userHeader, c)
	}
	app.ServeHTTP(w, r)
}

// nameNobody lets the app guess whose token it was.
func nameNobody(w http.ResponseWriter, r *http.Request, app http.Handler) {
	tellApp(r, bearer(r))
	r.Header.Del(credentialHeader)
	app.ServeHTTP(w, r)
}

// answerItself says 200 and does not ask the app.
func answerItself(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
	w.WriteHeader(http.StatusOK)
}

// leak refuses, but lets the app do the work first.
func leak(w http.ResponseWriter, r *http.Request, app http.Handler) {
	app.ServeHTTP(httptest.NewRecorder(), r)
	refuseAll(w, r, app)
}

// oneKey knows the first key that it sees, and never another.
func oneKey() fake {
	var first string
	var once sync.Once
	return func(w http.ResponseWriter, r *http.Request, app http.Handler) {
		t, err := jwt.Decode(bearer(r))
		if err != nil {
			refuseAll(w, r, app)
			return
		}
		once.Do(func() { first = t.Header.KeyID })
		if t.Header.KeyID != first {
			refuseAll(w, r, app)
			return
		}
		admitAll(w, r, app)
	}
}

// impatient refuses a token from its second use in a scene on, as expired.
func impatient() fake {
	var uses atomic.Int64
	return func(w http.ResponseWriter, r *http.Request, app http.Handler) {
		if r.URL.Path == "/steady" || uses.Add(1) == 1 {
			admitAll(w, r, app)
			return
		}
		w.Header().Set("WWW-Authenticate", `Bearer realm="fake", error="invalid_token", error_description="the token has expired"`)
		w.WriteHeader(http.StatusUnauthorized)
	}
}

// restless does all right in a scene, but not always between.
func restless() fake {
	var scene, steady atomic.Int64
	return func(w http.ResponseWriter, r *http.Request, app http.Handler) {
		switch {
		case r.URL.Path == "/steady" && steady.Add(1)%5 == 0:
			shrugAll(w, r, app)
		case r.URL.Path == "/steady" || scene.Add(1) <= 2:
			admitAll(w, r, app)
		default:
			refuseAll(w, r, app)
		}
	}
}

// outOf admits pod cart-0, and answers everybody else as f does.
func outOf(f fake) fake {
	return func(w http.ResponseWriter, r *http.Request, app http.Handler) {
		t, err := jwt.Decode(bearer(r))
		if err == nil && t.Claims.Kubernetes != nil && t.Claims.Kubernetes.Pod.Name == callerPod {
			admitAll(w, r, app)
			return
		}
		f(w, r, app)
	}
}

// shrugBriefly does not say when to come back.
func shrugBriefly(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
	w.WriteHeader(http.StatusServiceUnavailable)
}

// blameToken says that the token is at fault for an outage.
func blameToken(w http.ResponseWriter, r *http.Request, app http.Handler) {
	w.Header().Set("WWW-Authenticate", `Bearer realm="fake"`)
	shrugAll(w, r, app)
}

// unready are the probes of a gate that started, and goes with the API server.
var unready = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/readyz" {
		http.Error(w, "the API server is away", http.StatusServiceUnavailable)
	}
})

// serveNothing does not start.
func serveNothing(context.Context, []string, io.Writer) (*Gate, error) {
	return nil, errors.New("no audience")
}
