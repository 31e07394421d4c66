package minicluster

import (
	"bytes"
	"context"
	"io"
	"net/http"
)

// RoundTripper returns a transport to the API server that has no sockets, for
// synctest bubbles. The host of the URL does not matter. As with any transport,
// a call ends when its context does or when its body is closed, and no
// goroutine outlives it.
func (c *Cluster) RoundTripper() http.RoundTripper { return memory{c} }

type memory struct{ handler http.Handler }

// RoundTrip implements [http.RoundTripper].
func (m memory) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(r.Context())
	in, err := incoming(ctx, r)
	if err != nil {
		cancel()
		return nil, err
	}
	e := newExchange(cancel)
	go e.run(m.handler, in)
	select {
	case <-e.begun:
	case <-ctx.Done():
	}
	// The end of the context aborts the handler too, so it is looked at first.
	if ctx.Err() != nil {
		e.Close()
		return nil, context.Cause(ctx)
	}
	if e.err != nil {
		e.Close()
		return nil, e.err
	}
	// From here on only the body is left to end when the context does.
	context.AfterFunc(ctx, func() { e.writer.CloseWithError(ctx.Err()) })
	return e.response(r), nil
}

// incoming is the request as a server sees it. It reads the body to its end and
// closes it, as a transport has to.
func incoming(ctx context.Context, r *http.Request) (*http.Request, error) {
	var body []byte
	if r.Body != nil {
		defer r.Body.Close()
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	in := r.Clone(ctx)
	in.Body = io.NopCloser(bytes.NewReader(body))
	in.RequestURI = r.URL.RequestURI()
	if in.Host == "" {
		in.Host = r.URL.Host
	}
	return in, nil
}
