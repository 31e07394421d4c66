package fleet

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	audience = "app"
	subject  = "system:serviceaccount:ns:caller"
	uid      = "uid"
)

const (
	// queue is how long a review may wait at the API server for its turn; what
	// would wait longer gets 429, as from API Priority and Fairness.
	queue = time.Second
	// takes is how long a review takes beside that, over the network and back.
	takes = 5 * time.Millisecond
)

// A Server is a cluster's API servers, as far as they answer TokenReviews, always
// with yes.
type Server struct {
	// Asked counts reviews, and Refused those answered with 429.
	Asked, Refused *Series

	mu   sync.Mutex
	rate float64   // reviews a second that it can do
	free time.Time // when it will have done all that was asked so far
}

// SetRate says how many reviews a second it can do from now on. With 0 it is
// away.
func (s *Server) SetRate(rate float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rate, s.free = rate, time.Time{}
}

var errDown = errors.New("connection refused")

// RoundTrip implements [http.RoundTripper].
func (s *Server) RoundTrip(r *http.Request) (*http.Response, error) {
	r.Body.Close()
	s.Asked.Add(time.Now())
	wait, err := s.enter()
	if err != nil {
		return nil, err
	}
	if wait > queue {
		s.Refused.Add(time.Now())
		return answer(r, http.StatusTooManyRequests, throttled), nil
	}
	t := time.NewTimer(wait + takes)
	defer t.Stop()
	select {
	case <-t.C:
		return answer(r, http.StatusCreated, yes), nil
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}

// enter returns how long the review waits for its turn. Who would wait too long
// takes none.
func (s *Server) enter() (wait time.Duration, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rate == 0 {
		return 0, errDown
	}
	now := time.Now()
	if s.free.Before(now) {
		s.free = now
	}
	if wait = s.free.Sub(now); wait <= queue {
		s.free = s.free.Add(time.Duration(float64(time.Second) / s.rate))
	}
	return wait, nil
}

var (
	yes = fmt.Sprintf(`{"kind":"TokenReview","apiVersion":"authentication.k8s.io/v1","status":{"authenticated":true,"user":{"username":%q,"uid":%q},"audiences":[%q]}}`,
		subject, uid, audience)
	throttled = `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"TooManyRequests","details":{"retryAfterSeconds":1},"code":429}`
)

func answer(r *http.Request, code int, body string) *http.Response {
	h := http.Header{"Content-Type": {"application/json"}}
	if code == http.StatusTooManyRequests {
		h.Set("Retry-After", "1")
	}
	return &http.Response{StatusCode: code, Status: http.StatusText(code), Header: h, Request: r,
		Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body))}
}
