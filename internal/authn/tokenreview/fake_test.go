package tokenreview

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	authenticationv1 "k8s.io/api/authentication/v1"
)

// theToken and ownToken have the length and the look of real ones, so that a
// text that holds one, or a piece of one, is found out.
var (
	signature = strings.Repeat("SiGnAtUrE-_0", 8)[:86] // as long as ES256's
	theToken  = "eyJhbGciOiJFUzI1NiJ9." + strings.Repeat("Y2xhaW1z", 20) + "." + signature
	ownToken  = "eyJhbGciOiJFUzI1NiJ9.b3du." + strings.Repeat("oWnSiG", 15)
)

// An apiServer is an in-memory one. Its answer may be replaced at any time.
type apiServer struct {
	mu     sync.Mutex
	answer answer
	calls  []call
	flying int
	most   int // calls at the same time
}

type answer func(*http.Request) (*http.Response, error)

type call struct {
	token     string
	audiences []string
	at        time.Time
	request   *http.Request
}

func (s *apiServer) RoundTrip(r *http.Request) (*http.Response, error) {
	var review authenticationv1.TokenReview
	if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.calls = append(s.calls, call{review.Spec.Token, review.Spec.Audiences, time.Now(), r})
	s.flying++
	s.most = max(s.most, s.flying)
	a := s.answer
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.flying--
		s.mu.Unlock()
	}()
	return a(r)
}

func (s *apiServer) set(a answer) {
	s.mu.Lock()
	s.answer = a
	s.mu.Unlock()
}

func (s *apiServer) seen() []call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls
}

// text answers with a body and header fields, given as name, value.
func text(code int, body string, header ...string) answer {
	return func(r *http.Request) (*http.Response, error) {
		h := http.Header{"Content-Type": {"application/json"}}
		for i := 0; i < len(header); i += 2 {
			h.Set(header[i], header[i+1])
		}
		return &http.Response{StatusCode: code, Status: strconv.Itoa(code), Header: h, Request: r,
			Body: io.NopCloser(strings.NewReader(body))}, nil
	}
}

// review answers 201 with that status.
func review(s authenticationv1.TokenReviewStatus) answer {
	r := authenticationv1.TokenReview{Status: s}
	r.Kind, r.APIVersion = "TokenReview", "authentication.k8s.io/v1"
	b, err := json.Marshal(&r)
	if err != nil {
		panic(err)
	}
	return text(http.StatusCreated, string(b))
}

var (
	app = authenticationv1.UserInfo{
		Username: "system:serviceaccount:ns:app", UID: "u1", Groups: []string{"g1", "g2"},
		Extra: map[string]authenticationv1.ExtraValue{"authentication.kubernetes.io/pod-name": {"p"}},
	}
	yes = review(authenticationv1.TokenReviewStatus{Authenticated: true, User: app, Audiences: []string{"ours"}})
	no  = review(authenticationv1.TokenReviewStatus{Error: "invalid bearer token"})
)

func fails(err error) answer {
	return func(*http.Request) (*http.Response, error) { return nil, err }
}

func hang(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func after(d time.Duration, a answer) answer {
	return func(r *http.Request) (*http.Response, error) {
		select {
		case <-time.After(d):
			return a(r)
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
}

// first answers the first n calls with a, and the others with b.
func first(n int, a, b answer) answer {
	var mu sync.Mutex
	return func(r *http.Request) (*http.Response, error) {
		mu.Lock()
		n--
		is := n >= 0
		mu.Unlock()
		if is {
			return a(r)
		}
		return b(r)
	}
}

// cut is a body that breaks off.
type cut struct{ io.Reader }

func (c cut) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// A limiter counts, and refuses where err is set.
type limiter struct {
	mu       sync.Mutex
	err      error
	wait     chan struct{} // a place is free when it is closed
	addrs    []netip.Addr
	released int
}

func (l *limiter) Acquire(ctx context.Context, a netip.Addr) (func(), error) {
	if l.wait != nil {
		select {
		case <-l.wait:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return nil, l.err
	}
	l.addrs = append(l.addrs, a)
	return func() {
		l.mu.Lock()
		l.released++
		l.mu.Unlock()
	}, nil
}

// A bench is a Reviewer and all that it is told.
type bench struct {
	*Reviewer
	server     *apiServer
	new, known *limiter

	mu       sync.Mutex
	results  []Result
	rejected int
}

func newBench(t testing.TB, a answer, change ...func(*Options)) *bench {
	t.Helper()
	b := &bench{server: &apiServer{answer: a}, new: &limiter{}, known: &limiter{}}
	o := Options{
		Host: "https://10.0.0.1:443", Client: &http.Client{Transport: b.server},
		Audiences: []string{"ours", "also"}, New: b.new, Known: b.known,
		OwnToken: func() (string, error) { return ownToken, nil },
		Rejected: func() { b.mu.Lock(); b.rejected++; b.mu.Unlock() },
		Observe:  func(r Result, _ time.Duration) { b.mu.Lock(); b.results = append(b.results, r); b.mu.Unlock() },
		Log:      zap.NewNop(),
	}
	for _, c := range change {
		c(&o)
	}
	var err error
	if b.Reviewer, err = New(o); err != nil {
		t.Fatal(err)
	}
	return b
}

// run starts Run until the test ends.
func (b *bench) run(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		b.Run(ctx)
	}()
	t.Cleanup(func() { cancel(); <-done })
}

// tooLong is what our client says of an answer that it cut.
type tooLong struct{}

func (tooLong) Error() string { return "the answer is longer than we take" }
func (tooLong) TooLong() bool { return true }
