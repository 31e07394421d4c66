package proxy

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"runtime"
	"runtime/debug"
	"time"

	"go.uber.org/zap"

	"sallyport/internal/authn"
	"sallyport/internal/inflight"
)

// An exchange is what is known of one request and its answer. It belongs to the
// goroutine of the handler, but for the flight.
type exchange struct {
	in       *http.Request // as the server made it: trailers appear in no copy
	out      http.Header   // of the answer
	begun    time.Time
	decided  time.Duration // from begun until somebody had decided about its token; 0: nobody
	peer     netip.Addr    // the socket's other end; zero on a unix socket
	target   target
	loose    loose
	route    *Route
	identity authn.Identity // zero on a public route
	claims   []claim        // of the identity; none on a public route
	token    *authn.Token   // the identity's, shared; nil on a public route
	refused  bool           // its token was, by whoever decides
	whose    string         // the token that was refused, where that was proven
	body     *requestBody   // nil where nothing is forwarded or there is none
	place    inflight.Place

	code     int
	reason   authn.Reason
	detail   string // for the log
	answered bool   // the app's status line is on its way
	abort    bool   // the caller must see a cut

	flight flight
	ended  *ending    // nil where it came to its own end
	traced func(Done) // nil where nobody follows it
}

type exchangeKey struct{}

// exchangeOf returns the exchange of a request's context. It panics where there
// is none, which cannot be: ServeHTTP puts it there.
func exchangeOf(ctx context.Context) *exchange {
	return ctx.Value(exchangeKey{}).(*exchange)
}

// peerOf returns the address of the socket's other end, and the zero Addr where
// the socket has none.
func peerOf(r *http.Request) netip.Addr {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap().WithZone("")
}

// gone reports whether the caller has left.
func (x *exchange) gone() bool { return x.in.Context().Err() != nil }

// finish ends every request: it turns a panic into an answer, counts, and logs.
// It must be deferred itself, as recover demands.
func (p *proxy) finish(w http.ResponseWriter, x *exchange) {
	switch v := recover(); v {
	case nil:
	case http.ErrAbortHandler:
		x.breakOff() // ReverseProxy panics so when the answer ends before its time; see answerBody
	default:
		p.log.Error("a handler panicked: please report this", zap.String("panic", describePanic(v)),
			zap.ByteString("stack", debug.Stack()))
		p.fail(w, x, &failure{reason: authn.Internal, detail: "panic"})
	}
	if e := x.leave(); e != nil {
		x.endedBy(e)
	}
	x.place.Leave()
	x.dropBody(w)
	done := x.done()
	p.requests.add(x, &done)
	p.ledger.add(&done)
	if x.traced != nil {
		x.traced(done)
	}
	if x.abort {
		panic(http.ErrAbortHandler)
	}
}

// decide notes that somebody has decided about x's token. It is by itself so that the
// bench can leave it out, as what observing costs.
func (x *exchange) decide() {
	x.decided = time.Since(x.begun)
}

// breakOff notes that the answer ended before its time.
func (x *exchange) breakOff() {
	x.abort, x.reason = true, authn.UpstreamBroken
	if x.gone() {
		x.reason, x.detail = authn.ClientGone, "left in the middle of the answer"
	}
}

// endedBy notes that x was ended before its time, unless it was over just then.
func (x *exchange) endedBy(e *ending) {
	// Nobody sees to a connection that has been upgraded: it is not the
	// server's any more.
	cut := !e.clean.Load() && (x.abort || x.code == http.StatusSwitchingProtocols)
	switch {
	case !x.answered: // fail has seen to it
	case cut:
		x.reason, x.detail = e.reason, "cut while under way"
	case e.clean.Load():
		x.reason, x.detail = e.reason, "ended while under way"
	default:
		return
	}
	x.ended = e
	x.flight.streams.o.Ended(e.end)
}

// describePanic says what v is. Only the runtime's own words are repeated: any
// other value may hold a token.
func describePanic(v any) string {
	if err, ok := v.(runtime.Error); ok {
		return err.Error()
	}
	return fmt.Sprintf("a value of type %T", v)
}
