package proxy

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"net/url"

	"github.com/gorilla/mux"
	"go.uber.org/zap"

	"sallyport/internal/authn"
)

// Options are what [New] needs.
type Options struct {
	// Authenticator decides about tokens. Required.
	Authenticator authn.Authenticator
	// Target is the scheme and the host that requests are sent to, as
	// [Transport.Target] gives it. Its path and query are not used. Required.
	Target *url.URL
	// Transport carries requests to the app. Required; see [NewTransport].
	Transport http.RoundTripper

	// Routes are in order: the first that matches decides. A path that none
	// matches needs a token.
	Routes []Route
	// ForwardAuthorization hands the caller's token to the app on the paths
	// that no route matches.
	ForwardAuthorization bool
	// ForwardOddPaths forwards a path that is not canonical, if its token is
	// good, instead of refusing it. Such a path matches no route.
	ForwardOddPaths bool
	// TrustedPeers are those whose X-Forwarded-*, Forwarded and X-Real-Ip are
	// kept and extended. Default none.
	TrustedPeers []netip.Prefix
	// Headers names what tells the app who is calling.
	Headers HeaderNames

	// Log gets a debug line for a request let through and an info line for a
	// refusal. Default none.
	Log *zap.Logger
	// Observer counts. Default none.
	Observer Observer
}

// An Observer is told about requests. Its methods are called by many requests
// at a time.
type Observer interface {
	// InFlight is called with 1 when a request comes and with -1 when it is
	// over, which for a WebSocket is when it closes.
	InFlight(delta int)
	// Request is called when a request is over. The code is the status that
	// the caller saw, or 499 where the caller left before there was one.
	Request(code int, reason authn.Reason)
}

type nobody struct{}

func (nobody) InFlight(int)              {}
func (nobody) Request(int, authn.Reason) {}

type proxy struct {
	authenticator authn.Authenticator
	target        *url.URL
	routes        *mux.Router
	odd           http.Handler // nil: odd paths are refused
	forward       *httputil.ReverseProxy
	identity      HeaderNames
	claims        nameSet // whatever a caller could claim an identity with
	trusted       []netip.Prefix
	log           *zap.Logger
	observer      Observer
}

// New returns the gate. It fails where o lacks something, or where a route or
// a header name makes no sense.
func New(o Options) (http.Handler, error) {
	if o.Authenticator == nil || o.Target == nil || o.Transport == nil {
		return nil, errors.New("proxy: Authenticator, Target and Transport are required")
	}
	names, err := o.Headers.complete()
	if err != nil {
		return nil, fmt.Errorf("proxy: %w", err)
	}
	p := &proxy{
		authenticator: o.Authenticator,
		target:        o.Target,
		identity:      names,
		claims:        claimNames(names),
		trusted:       o.TrustedPeers,
		log:           o.Log,
		observer:      o.Observer,
	}
	if p.log == nil {
		p.log = zap.NewNop()
	}
	if p.observer == nil {
		p.observer = nobody{}
	}
	fallback := p.gate(&Route{ForwardAuthorization: o.ForwardAuthorization})
	if o.ForwardOddPaths {
		p.odd = fallback
	}
	if p.routes, err = p.router(o.Routes, fallback); err != nil {
		return nil, fmt.Errorf("proxy: %w", err)
	}
	p.forward = p.reverseProxy(o.Transport)
	return p, nil
}

// ServeHTTP implements http.Handler. It panics with http.ErrAbortHandler where
// the caller must see a cut and not an end.
func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &exchange{in: r, peer: peerOf(r), code: http.StatusOK}
	p.observer.InFlight(1)
	defer p.finish(w, x)
	r = r.WithContext(context.WithValue(r.Context(), exchangeKey{}, x))
	if err := p.serve(w, r, x); err != nil {
		p.fail(w, x, err)
	}
}

// serve finds the gate that is in charge of r. Where it returns an error it has
// written nothing.
func (p *proxy) serve(w http.ResponseWriter, r *http.Request, x *exchange) error {
	var problem string
	if x.target, problem = targetOf(r); problem == "" {
		problem = oddity(x.target.path)
		if problem == "" {
			p.route(r).ServeHTTP(w, r)
			return nil
		}
		if p.odd != nil {
			p.odd.ServeHTTP(w, r)
			return nil
		}
	}
	// Such a path is never public, so whoever comes without a token hears
	// about the token first, as everywhere else.
	if _, err := authn.BearerToken(r.Header); err != nil {
		return err
	}
	return &failure{reason: authn.Path, detail: problem}
}

// gate returns the handler of one route.
func (p *proxy) gate(route *Route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := exchangeOf(r.Context())
		x.route = route
		if err := p.admit(r, x); err != nil {
			p.fail(w, x, err)
			return
		}
		if r.ProtoMajor == 1 && r.ContentLength != 0 {
			// An app may answer before it has read the whole body. By default
			// an HTTP/1.1 server then throws away what it has not read, and the
			// app would get a body with a hole. No error that matters: other
			// servers do not do that.
			_ = http.NewResponseController(w).EnableFullDuplex()
		}
		p.forward.ServeHTTP(w, r)
	})
}

// admit returns nil if r may go to the app, and has noted then who sent it.
func (p *proxy) admit(r *http.Request, x *exchange) error {
	if x.route.Public {
		x.reason = authn.Public
		return nil
	}
	token, err := authn.BearerToken(r.Header)
	if err != nil {
		return err
	}
	ctx := authn.WithCaller(r.Context(), authn.Caller{Addr: x.peer})
	id, err := p.authenticator.Authenticate(ctx, token)
	if err != nil {
		return err
	}
	if err := checkIdentity(id); err != nil {
		return err
	}
	x.identity, x.reason = id, authn.OK
	return nil
}
