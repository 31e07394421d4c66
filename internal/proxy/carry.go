package proxy

import (
	"context"
	"maps"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"slices"
	"strings"
	"sync"
)

// carry forwards a request that has no body and is no upgrade, and its answer. It
// does what ReverseProxy does for such a one, and what that does for others is
// what most of its time is spent on.
func (p *proxy) carry(ctx context.Context, w http.ResponseWriter, r *http.Request, x *exchange) {
	hints := &interim{w: informing{w, x.in}}
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{Got1xxResponse: hints.pass})
	u := *r.URL
	x.target.send(&u, p.target)
	out := &http.Request{
		Method: r.Method, URL: &u, Host: r.Host, Header: p.header(r.Header, x),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
	res, err := p.transport.RoundTrip(out.WithContext(ctx))
	hints.stop()
	if err != nil {
		p.fail(w, x, x.forwardError(err))
		return
	}
	defer res.Body.Close()
	removeNamed(res.Header, res.Header)
	if err := p.begin(res, x); err != nil {
		p.fail(w, x, err)
		return
	}
	if err := reply(w, res); err != nil {
		x.detail = brokenIn("body", err)
		x.breakOff()
	}
}

// reply writes the app's answer. The error is of either side.
func reply(w http.ResponseWriter, res *http.Response) error {
	h := w.Header()
	for name, values := range res.Header {
		if !isHopByHop(name) {
			add(h, name, values)
		}
	}
	if len(res.Trailer) > 0 {
		h.Add("Trailer", strings.Join(slices.Sorted(maps.Keys(res.Trailer)), ", "))
	}
	w.WriteHeader(res.StatusCode)
	if err := copyBody(w, res.Body); err != nil {
		return err
	}
	res.Body.Close() // the trailers come with it
	filterTrailers(res)
	for name, values := range res.Trailer { // others, maybe, than were announced
		add(h, http.TrailerPrefix+name, values)
	}
	return nil
}

// add adds values. None at all are nothing: a trailer that was announced and did not
// come.
func add(h http.Header, name string, values []string) {
	switch was := h[name]; {
	case len(values) == 0:
	case len(was) == 0:
		h[name] = values
	default:
		h[name] = slices.Concat(was, values)
	}
}

// interim passes interim answers (1xx) on, while it may: the transport may be late.
type interim struct {
	w informing

	mu      sync.Mutex
	stopped bool
}

func (i *interim) stop() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.stopped = true
}

// pass is for [httptrace.ClientTrace].
func (i *interim) pass(code int, header textproto.MIMEHeader) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.stopped {
		return nil
	}
	h := i.w.Header()
	for name, values := range header {
		add(h, name, values)
	}
	i.w.WriteHeader(code)
	clear(h) // or they would come once more
	return nil
}
