package proxy

import (
	"time"

	"sallyport/internal/authn"
)

// GoAway ends the upgraded connections because the gate stops, and returns when
// they are over, or after a second. Then it cuts the rest.
func (s *Streams) GoAway() {
	now := time.Now()
	var open []*exchange
	s.mu.Lock()
	for x := s.oldest; x != nil; x = x.flight.next {
		open = append(open, x)
	}
	s.mu.Unlock()
	over := time.After(farewell)
	for _, x := range open {
		if x.upgraded() != nil {
			x.end(newEnding(Shutdown, authn.OK, now))
		}
	}
	for _, x := range open {
		if socket := x.upgraded(); socket != nil {
			select {
			case <-socket.gone:
			case <-over:
				over = closed
				x.cut(now.Add(time.Hour))
			}
		}
	}
}

// closed never waits.
var closed = func() <-chan time.Time { c := make(chan time.Time); close(c); return c }()

// upgraded returns x's upgraded connection, if it is one.
func (x *exchange) upgraded() *socket {
	x.flight.mu.Lock()
	defer x.flight.mu.Unlock()
	return x.flight.socket
}
