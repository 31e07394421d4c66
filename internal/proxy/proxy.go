package proxy

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"time"

	"github.com/gorilla/mux"
	"go.uber.org/zap"

	"sallyport/internal/authn"
	"sallyport/internal/inflight"
)

type proxy struct {
	authenticator authn.Authenticator
	target        *url.URL
	routes        *mux.Router // nil: there are none
	fallback      *door       // where no route matches
	odd           *door       // nil: odd paths are refused
	transport     http.RoundTripper
	forward       *httputil.ReverseProxy
	names         *claimNamer
	claims        nameSet // whatever a caller could claim an identity with
	trusted       []netip.Prefix
	warn          warnings
	streams       *Streams
	inFlight      *inflight.Limiter
	maxHeaders    int
	log           *zap.Logger
	requests      *requestLog
	ledger        *Ledger
	tracer        Tracer // nil: none
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
		transport:     o.Transport,
		names:         &claimNamer{HeaderNames: names, extra: map[string]string{}},
		claims:        claimNames(names),
		trusted:       o.TrustedPeers,
		warn:          warnings{o.WarnStale, o.WarnLegacy},
		streams:       o.Streams,
		inFlight:      o.InFlight,
		maxHeaders:    o.MaxHeaders,
		log:           o.Log,
		ledger:        o.Ledger,
		tracer:        o.Tracer,
	}
	if p.log == nil {
		p.log = zap.NewNop()
	}
	if p.ledger == nil {
		p.ledger = NewLedger(nobody{})
	}
	p.requests = newRequestLog(p.log, p.ledger)
	if err := p.setRoutes(o); err != nil {
		return nil, fmt.Errorf("proxy: %w", err)
	}
	p.forward = p.reverseProxy(o.Transport)
	return p, nil
}

// ServeHTTP implements http.Handler. It panics with http.ErrAbortHandler where
// the caller must see a cut and not an end.
func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &exchange{in: r, out: w.Header(), peer: peerOf(r), code: http.StatusOK, begun: time.Now()}
	defer p.finish(w, x)
	ctx := r.Context()
	if p.tracer != nil {
		ctx, x.traced = p.tracer.Begin(r)
	}
	ctx = context.WithValue(ctx, exchangeKey{}, x)
	if err := p.serve(ctx, w, r, x); err != nil {
		p.fail(w, x, err)
	}
}

// serve finds the door that is in charge of r. Where it returns an error it has
// written nothing.
func (p *proxy) serve(ctx context.Context, w http.ResponseWriter, r *http.Request, x *exchange) error {
	if err := p.checkHeaders(r.Header); err != nil {
		return err
	}
	d, problem := p.find(r, x)
	if d != nil {
		return d.serve(ctx, w, r, x)
	}
	// Such a path is never public, so whoever comes without a token hears
	// about the token first, as everywhere else.
	if _, err := authn.BearerToken(r.Header); err != nil {
		return err
	}
	return &failure{reason: authn.Path, detail: problem}
}

// A door is what handles the requests of one route.
type door struct {
	*proxy
	route *Route
}

// serve lets r through. Where it returns an error it has written nothing.
func (d *door) serve(ctx context.Context, w http.ResponseWriter, r *http.Request, x *exchange) error {
	x.route = d.route
	token, err := d.admit(ctx, r, x)
	if err != nil {
		return err
	}
	if r.ProtoMajor == 1 && r.ContentLength != 0 {
		// An app may answer before it has read the whole body. By default
		// an HTTP/1.1 server then throws away what it has not read, and the
		// app would get a body with a hole. No error that matters: other
		// servers do not do that.
		_ = http.NewResponseController(w).EnableFullDuplex()
	}
	keepUpgrade(r)
	w, ctx = d.streams.enter(ctx, w, r, x, token)
	if r.ContentLength == 0 && !isWebSocket(r.Header) {
		d.carry(ctx, w, r, x)
		return nil
	}
	r = r.WithContext(ctx)
	d.watchBody(r, x)
	d.forward.ServeHTTP(informing{w, x.in}, r)
	return nil
}

// admit returns nil if r may go to the app, and has noted then who sent it. The
// token is "" on a public route.
func (p *proxy) admit(ctx context.Context, r *http.Request, x *exchange) (token string, err error) {
	if x.route.Public {
		x.reason = authn.Public
		return "", p.enter(x, inflight.Public, inflight.Caller{Addr: x.peer})
	}
	if token, err = authn.BearerToken(r.Header); err != nil {
		return "", err
	}
	id, err := p.authenticator.Authenticate(authn.WithCaller(ctx, authn.Caller{Addr: x.peer}), token)
	x.decide()
	if err != nil {
		return "", err
	}
	m, err := p.memoOf(&id)
	if err != nil {
		return "", err
	}
	x.claims, x.token = m.claims, &m.token
	x.identity, x.reason = id, authn.OK
	return token, p.enter(x, inflight.Admitted, inflight.Caller{Subject: id.Subject})
}
