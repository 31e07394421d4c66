package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"sallyport/internal/authn"
)

// What a look comes to, for a token that the API server has confirmed, or not.
func TestJudge(t *testing.T) {
	no := authn.Refuse(authn.Revoked, "")
	away := authn.Unavailable(authn.ReviewFailed, "")
	for _, tc := range []struct {
		name    string
		first   authn.Standing
		answers []error
		ends    int // at which answer; 0: never
	}{
		{"two noes", authn.Confirmed, []error{no, no}, 2},
		{"one no", authn.Confirmed, []error{no, nil, no, nil}, 0},
		{"an outage is no yes", authn.Confirmed, []error{no, away, away, no}, 4},
		{"outage", authn.Confirmed, []error{away, away, away, away}, 0},
		{"mismatch", authn.Confirmed, []error{authn.Refuse(authn.Mismatch, ""), no}, 2},
		{"the API server knows no audience", authn.Confirmed, []error{authn.Refuse(authn.Audience, ""), nil, no}, 0},
		{"the key is withdrawn", authn.Confirmed, []error{authn.Refuse(authn.UnknownKey, "")}, 1},
		{"never confirmed", authn.Unconfirmed, []error{no}, 1},
		{"confirmed late", authn.Unconfirmed, []error{nil, no, no}, 3},
		{"local", authn.Local, []error{nil, away, authn.Refuse(authn.UnknownKey, "")}, 3},
		{"expired is for the sweep", authn.Confirmed, []error{authn.Refuse(authn.Expired, ""), authn.Refuse(authn.Expired, "")}, 0},
		{"the clock went back", authn.Confirmed, []error{authn.Refuse(authn.NotYetValid, ""), authn.Refuse(authn.NotYetValid, "")}, 0},
		{"nobody waited", authn.Local, []error{context.Canceled, context.DeadlineExceeded}, 0},
		{"a bug", authn.Local, []error{errors.New("?"), &failure{reason: authn.Internal}}, 0},
	} {
		s := &Streams{every: time.Second, second: 6 * time.Second}
		x := &exchange{}
		x.flight.token, x.flight.confirmed = "t", tc.first == authn.Confirmed
		ends := 0
		for i, err := range tc.answers {
			standing := tc.first
			if err == nil && tc.first == authn.Unconfirmed {
				standing = authn.Confirmed
			}
			x.flight.looking = true
			before := time.Now()
			ended := len(s.judge([]*exchange{x}, authn.Identity{Standing: standing}, err)) > 0
			if ended && ends == 0 {
				ends = i + 1
			}
			wait := s.every
			if x.flight.doubted && errors.Is(err, authn.ErrUnauthenticated) && !ended {
				wait = s.second // longer than the cache repeats a refusal
			}
			if due := x.flight.due.Sub(before); x.flight.looking || due < wait || due > wait+time.Second {
				t.Errorf("%s: after answer %d the next look is in %v, want %v", tc.name, i+1, due, wait)
			}
		}
		if ends != tc.ends {
			t.Errorf("%s: ended at answer %d, want %d", tc.name, ends, tc.ends)
		}
	}
}

// Requests that are due at a time are looked at by token, each once until the
// look is over.
func TestLooksAreByToken(t *testing.T) {
	s, err := NewStreams(StreamOptions{Authenticator: admitSecret, Recheck: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	s.workers = maxLooks // so that none is started
	now := time.Now()
	for i := range 1000 {
		x := &exchange{begun: now, in: &http.Request{Header: http.Header{}}, identity: authn.Identity{Expires: now.Add(time.Hour)}}
		s.enter(t.Context(), nil, &http.Request{}, x, fmt.Sprint("t", i%2))
	}
	for _, tc := range []struct {
		at    time.Duration
		queue int
	}{{time.Second, 0}, {s.every + time.Second, 2}, {2 * s.every, 2}} {
		if s.sweep(t.Context(), now.Add(tc.at)); len(s.queue) != tc.queue {
			t.Errorf("after %v: %d looks, want %d", tc.at, len(s.queue), tc.queue)
		}
	}
}

// Looks that hang are bounded, and hold up no expiry.
func TestLooks(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	running, most, looks := 0, 0, map[string]int{}
	hang := make(chan struct{})
	a := authn.Func(func(ctx context.Context, token string) (authn.Identity, error) {
		id := alice
		id.Expires = time.Now().Add(time.Hour)
		if strings.HasPrefix(token, "short") {
			id.Expires = time.Now().Add(2 * time.Second)
		}
		if !authn.CallerOf(ctx).Known {
			return id, nil
		}
		mu.Lock()
		running++
		looks[token]++
		most = max(most, running)
		mu.Unlock()
		select {
		case <-hang:
		case <-ctx.Done():
		}
		mu.Lock()
		defer mu.Unlock()
		running--
		return id, nil
	})
	s := watch(t, a, false, nil)
	app := endless{make(chan struct{})}
	r := gate(t, app.ServeHTTP, Options{Authenticator: a, Streams: s})
	open := func(token string) net.Conn {
		conn, br := r.dial(t, get("/events", "Authorization: Bearer "+token))
		if res, err := http.ReadResponse(br, nil); err != nil || res.StatusCode != 200 {
			t.Fatal(res, err)
		}
		return conn
	}
	for i := range 3 * maxLooks {
		open(fmt.Sprint("t", i))
	}
	for range 50 {
		open("same")
	}
	r.until(t, "hanging", func() bool { mu.Lock(); defer mu.Unlock(); return running == maxLooks })
	short := open("short")
	short.SetReadDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.Copy(io.Discard, short); errors.Is(err, context.DeadlineExceeded) || isTimeout(err) {
		t.Error("an expired stream goes on while looks hang")
	}
	mu.Lock()
	for token, n := range looks {
		if n > 1 {
			t.Errorf("%d looks at %s at a time", n, token)
		}
	}
	mu.Unlock()
	close(hang)
	r.until(t, "looked at all", func() bool { mu.Lock(); defer mu.Unlock(); return len(looks) == 3*maxLooks+1 })
	if most > maxLooks {
		t.Errorf("%d looks at a time, want at most %d", most, maxLooks)
	}
	close(app.release)
	r.until(t, "over", func() bool { s.mu.Lock(); defer s.mu.Unlock(); return s.oldest == nil })
}

func isTimeout(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}
