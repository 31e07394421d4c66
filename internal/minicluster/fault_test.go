package minicluster

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
)

// a call in memory. The error is the transport's, or that of reading the body,
// of which it reads a megabyte.
func (c *Cluster) roundTrip(t testing.TB, ctx context.Context, method, path, body string) (int, http.Header, []byte, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, method, "https://kubernetes.default.svc"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+c.gateToken(t))
	r.Header.Set("Content-Type", "application/json")
	resp, err := c.RoundTripper().RoundTrip(r)
	if err != nil {
		return 0, nil, nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	return resp.StatusCode, resp.Header, b, err
}

func (c *Cluster) getKeys(t testing.TB, ctx context.Context) (int, http.Header, []byte, error) {
	t.Helper()
	return c.roundTrip(t, ctx, http.MethodGet, keySet, "")
}

func TestRoundTripper(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := start(t, Options{})
		code, header, body, err := c.roundTrip(t, t.Context(), http.MethodPost, reviews, `{"spec":{"token":"`+c.mustToken(t, web)+`","audiences":["app"]}}`)
		var tr authenticationv1.TokenReview
		if err != nil || code != 201 || json.Unmarshal(body, &tr) != nil || !tr.Status.Authenticated {
			t.Errorf("%d %s %v", code, body, err)
		}
		if header.Get("Content-Type") != "application/json" || header.Get("Content-Length") == "" {
			t.Errorf("header = %v", header)
		}
	})
}

func TestStatusFaults(t *testing.T) {
	c := start(t, Options{})
	for _, tt := range []struct {
		fault                  Fault
		name, wantHeader, want string
	}{
		{Fault{Status: 429, RetryAfter: 7 * time.Second}, "Retry-After", "7", "Too many requests"},
		{Fault{Status: 500}, "Retry-After", "", `"kind":"Status"`},
		{Fault{Status: 302, Location: "https://elsewhere.example/"}, "Location", "https://elsewhere.example/", `"kind":"Status"`},
	} {
		c.Fail(All, tt.fault)
		code, header, body, err := c.getKeys(t, t.Context())
		if err != nil || code != tt.fault.Status || header.Get(tt.name) != tt.wantHeader || !strings.Contains(string(body), tt.want) {
			t.Errorf("%+v: %d %v %s %v", tt.fault, code, header, body, err)
		}
	}
}

func TestBodyFaults(t *testing.T) {
	c := start(t, Options{})
	_, _, whole, _ := c.getKeys(t, t.Context())
	for _, tt := range []struct {
		body Spoil
		err  error
		n    int
	}{
		{Garbage, nil, 31},
		{Oversize, nil, 1 << 20},
		{Truncate, io.ErrUnexpectedEOF, len(whole) / 2},
	} {
		c.Fail(Keys, Fault{Body: tt.body})
		code, _, body, err := c.getKeys(t, t.Context())
		if code != 200 || err != tt.err || len(body) != tt.n || json.Valid(body) {
			t.Errorf("%s: %d, %d bytes, %v", tt.body, code, len(body), err)
		}
	}
}

func TestDown(t *testing.T) {
	c := start(t, Options{})
	c.Fail(All, Fault{Down: true})
	if _, _, _, err := c.getKeys(t, t.Context()); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("down: %v", err)
	}
	c.Fail(Keys, Fault{})
	if code, _, _, err := c.getKeys(t, t.Context()); code != 200 {
		t.Errorf("the keys alone are well: %d %v", code, err)
	}
	if _, _, _, err := c.roundTrip(t, t.Context(), "GET", wellKnown, ""); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("the document is not: %v", err)
	}
	c.Heal()
	if code, _, _, err := c.roundTrip(t, t.Context(), "GET", wellKnown, ""); code != 200 {
		t.Errorf("healed: %d %v", code, err)
	}
}

func TestFailWhen(t *testing.T) {
	c := start(t, Options{})
	c.Fail(All, Fault{Status: 500})
	n := 0
	c.FailWhen(func(r *http.Request) *Fault {
		if n++; n == 2 {
			return &Fault{Status: 503}
		}
		if n == 3 {
			return &Fault{}
		}
		return nil
	})
	for i, want := range []int{500, 503, 200, 500} {
		if code, _, _, err := c.getKeys(t, t.Context()); code != want {
			t.Errorf("call %d: %d %v, want %d", i, code, err, want)
		}
	}
}

func TestLieAudience(t *testing.T) {
	c := start(t, Options{})
	c.Fail(Reviews, Fault{Review: LieAudience})
	if s := c.ask(t, c.mustToken(t, web), "app"); !s.Authenticated || len(s.Audiences) != 0 {
		t.Errorf("status = %+v", s)
	}
}

func TestLatency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := start(t, Options{})
		c.Fail(All, Fault{Latency: 3 * time.Second})
		begin := time.Now()
		if code, _, _, err := c.getKeys(t, t.Context()); code != 200 || time.Since(begin) != 3*time.Second {
			t.Errorf("%d %v after %s", code, err, time.Since(begin))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, _, _, err := c.getKeys(t, ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("impatient: %v", err)
		}
	})
}

// A hang ends with the call's context, or when it is lifted. The bubble fails
// if it leaves a goroutine behind.
func TestHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := start(t, Options{})
		c.Fail(All, Fault{Hang: true})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		begin := time.Now()
		if _, _, _, err := c.getKeys(t, ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != time.Minute {
			t.Errorf("hung: %v after %s", err, time.Since(begin))
		}
		time.AfterFunc(time.Minute, func() { c.Fail(All, Fault{Hang: true, RetryAfter: time.Second}) })
		time.AfterFunc(2*time.Minute, c.Heal)
		begin = time.Now()
		if code, _, _, err := c.getKeys(t, t.Context()); code != 200 || time.Since(begin) != 2*time.Minute {
			t.Errorf("healed: %d %v after %s", code, err, time.Since(begin))
		}
	})
}

// A body that nobody reads to its end costs nothing once it is closed, or its
// context over.
func TestBodyEnds(t *testing.T) {
	for _, how := range []string{"close", "cancel"} {
		synctest.Test(t, func(t *testing.T) {
			c := start(t, Options{})
			c.Fail(All, Fault{Body: Oversize})
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			r, err := http.NewRequestWithContext(ctx, "GET", "https://k"+keySet, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Authorization", "Bearer "+c.gateToken(t))
			resp, err := c.RoundTripper().RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			want := io.ErrClosedPipe
			if how == "close" {
				resp.Body.Close()
			} else {
				cancel()
				want = context.Canceled
			}
			synctest.Wait()
			if _, err := resp.Body.Read(make([]byte, 1)); err != want {
				t.Errorf("%s: Read: %v, want %v", how, err, want)
			}
		})
	}
}

func TestRoundTripAfterTheEnd(t *testing.T) {
	c := start(t, Options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, _, err := c.getKeys(t, ctx); err != context.Canceled || c.Counts().Keys != 0 {
		t.Errorf("%v, %+v", err, c.Counts())
	}
}

// The end of a call aborts its handler too; the call's error is its own end,
// whichever is seen first.
func TestRoundTripEndsWhileItIsAborted(t *testing.T) {
	for range 200 {
		ctx, cancel := context.WithCancel(t.Context())
		m := memory{http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			cancel()
			panic(http.ErrAbortHandler)
		})}
		r, err := http.NewRequestWithContext(ctx, "GET", "https://k/", nil)
		if err != nil {
			t.Fatal(err)
		}
		if resp, err := m.RoundTrip(r); err != context.Canceled {
			t.Fatalf("%v %v", resp, err)
		}
	}
}
