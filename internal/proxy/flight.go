package proxy

import (
	"context"
	"net/http"
	"sync"
	"time"

	"sallyport/internal/authn"
)

// A flight is what Streams need of an exchange.
type flight struct {
	streams *Streams // nil where nobody watches
	cancel  context.CancelFunc
	begun   time.Time
	// ending is set once, when the request has to end before its time.
	ending atomicEnding

	// Streams.mu guards these. The token is "" where the credential does not
	// count, and once the request is over.
	prev, next *exchange
	token      string
	due        time.Time // when to look next
	looking    bool
	confirmed  bool // by the API server, once
	doubted    bool // it has said no once since

	mu       sync.Mutex // guards what follows
	left     bool
	w        http.ResponseWriter
	kind     kind
	socket   *socket
	messages *messages
}

// enter begins to watch x, and returns what to forward it with.
func (s *Streams) enter(ctx context.Context, w http.ResponseWriter, r *http.Request, x *exchange, token string) (http.ResponseWriter, context.Context) {
	if s == nil {
		return w, ctx
	}
	if s.o.Finish {
		token = ""
	}
	upgrade := isWebSocket(r.Header)
	if token == "" && !upgrade {
		return w, ctx
	}
	f := &x.flight
	ctx, cancel := context.WithCancel(ctx)
	f.streams, f.cancel, f.w, f.token, f.begun = s, cancel, w, token, x.begun
	f.due = f.begun.Add(s.every)
	f.confirmed = x.identity.Standing == authn.Confirmed
	s.mu.Lock()
	if f.prev = s.newest; f.prev != nil {
		f.prev.flight.next = x
	} else {
		s.oldest = x
	}
	s.newest = x
	s.mu.Unlock()
	if upgrade {
		w = upgradable{w, x}
	}
	return w, ctx
}

// leave ends the watch, and returns why x was ended, or nil. Afterwards nobody
// touches the answer but the handler.
func (x *exchange) leave() *ending {
	f := &x.flight
	s := f.streams
	if s == nil {
		return nil
	}
	f.cancel()
	f.mu.Lock()
	f.left, f.w = true, nil
	if f.kind > plain {
		s.open.Add(-1)
	}
	if f.socket != nil {
		close(f.socket.gone)
	}
	f.mu.Unlock()
	s.mu.Lock()
	if f.prev != nil {
		f.prev.flight.next = f.next
	} else {
		s.oldest = f.next
	}
	if f.next != nil {
		f.next.flight.prev = f.prev
	} else {
		s.newest = f.prev
	}
	f.prev, f.next, f.token = nil, nil, ""
	s.mu.Unlock()
	return f.ending.Load()
}
