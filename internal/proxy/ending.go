package proxy

import (
	"net/http"
	"sync/atomic"
	"time"

	"sallyport/internal/authn"
)

// An End is why a stream was ended.
type End string

// The ends.
const (
	Expired  End = "expired"
	Revoked  End = "revoked"
	Shutdown End = "shutdown"
)

// An ending is one request's.
type ending struct {
	end    End
	reason authn.Reason // of the refusal; see End for a shutdown
	at     time.Time
	// clean says that the caller was told why, at a boundary.
	clean atomic.Bool
}

type atomicEnding = atomic.Pointer[ending]

func newEnding(end End, reason authn.Reason, at time.Time) *ending {
	return &ending{end: end, reason: reason, at: at}
}

// text is for the caller.
func (e *ending) text() string {
	switch e.end {
	case Expired:
		return "the credential has expired"
	case Revoked:
		return "the credential was revoked"
	}
	return "the server is shutting down"
}

// code is a WebSocket's close code, RFC 6455 section 7.4.1.
func (e *ending) code() uint16 {
	if e.end == Shutdown {
		return 1001 // going away
	}
	return 1008 // policy violation
}

// end makes x end: at once, or at the next boundary. It waits for nobody.
func (x *exchange) end(e *ending) {
	f := &x.flight
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.left || !f.ending.CompareAndSwap(nil, e) {
		return
	}
	switch f.kind {
	case waiting:
		f.cancel()
	case grpcBody:
		if f.messages.frames.boundary() {
			f.cancel() // it may be waiting for the next message
		}
	case upgraded:
		if f.socket != nil {
			go f.socket.leave(e)
		}
	default:
		f.cut()
	}
}

// cut ends x whatever it is doing, unless it is saying goodbye.
func (x *exchange) cut(now time.Time) {
	f := &x.flight
	f.mu.Lock()
	defer f.mu.Unlock()
	e := f.ending.Load()
	if f.left || f.socket != nil && e.clean.Load() && now.Sub(e.at) < 2*farewell+patience {
		return
	}
	f.cut()
}

// cut needs f.mu.
func (f *flight) cut() {
	f.cancel()
	if f.socket != nil {
		go f.socket.Conn.Close() // TLS waits, to say that it closes
		return
	}
	// Whoever does not read would keep the handler in a write.
	_ = http.NewResponseController(f.w).SetWriteDeadline(time.Unix(1, 0))
}
