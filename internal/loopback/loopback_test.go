package loopback

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// whisper says more than was asked for, once told to, and tells when it is said.
func whisper(say string) (do action, speak func(*testing.T)) {
	now, said := make(chan struct{}), make(chan struct{})
	return func(v *visit) bool {
			own(v)
			<-now
			v.say(say)
			close(said)
			return true
		}, func(t *testing.T) {
			close(now)
			select {
			case <-said:
			case <-time.After(deadline):
				t.Fatal("the app has not spoken")
			}
		}
}

// What the app says when nobody has asked is nobody's answer.
func TestLateAnswer(t *testing.T) {
	for name, late := range map[string]string{
		"an answer":             "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nothers",
		"a byte":                "H",
		"an interim answer":     "HTTP/1.1 103 Early Hints\r\n\r\n",
		"that it waits no more": "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			script := map[string]action{}
			both(t, limits{}, script, func(t *testing.T, rt transport, a *app) {
				do, speak := whisper(late)
				script["/first"] = do
				a.own(t, rt, "/first")
				speak(t)
				if !rt.ours {
					a.closed(t, 0) // net/http reads idle connections
				}
				for i := range 3 {
					a.own(t, rt, fmt.Sprint("/next/", i))
				}
				a.closed(t, 0)
			})
		})
	}
}

// An app that answers before it is asked has answered nobody, and nobody waits.
func TestEarlyAnswer(t *testing.T) {
	script := map[string]action{"/first": func(v *visit) bool {
		v.say(ownAnswer("/first") + "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nothers")
		return true
	}}
	both(t, limits{}, script, func(t *testing.T, rt transport, a *app) {
		a.own(t, rt, "/first")
		a.closed(t, 0) // at once: it came together with the answer
		a.own(t, rt, "/next")
	})
}

// The app closes an idle connection just as it is used again.
func TestRetry(t *testing.T) {
	for _, tc := range []struct {
		method string
		again  bool
	}{{"GET", true}, {"HEAD", true}, {"OPTIONS", true}, {"POST", false}, {"PUT", false}, {"DELETE", false}, {"PATCH", false}} {
		t.Run(tc.method, func(t *testing.T) {
			script := map[string]action{"/case": func(v *visit) bool { return v.count == 1 && own(v) }}
			both(t, limits{}, script, func(t *testing.T, rt transport, a *app) {
				a.own(t, rt, "/first")
				o := fetch(rt, request(t.Context(), tc.method, "/case"))
				n, conns := a.count("/case")
				if tc.again && (o.err() != nil || n != 2 || conns != 2) || !tc.again && (o.err() == nil || n != 1) {
					t.Errorf("%v, %d requests on %d connections", o.err(), n, conns)
				}
				a.own(t, rt, "/next")
			})
		})
	}
}

// What speaks against another try, each by itself.
func TestNoRetry(t *testing.T) {
	for _, tc := range []struct {
		name  string
		fresh bool
		do    action
	}{
		{"a new connection", true, func(*visit) bool { return false }},
		{"half a status line", false, func(v *visit) bool { v.say("HTTP/1."); return false }},
		{"an interim answer", false, func(v *visit) bool { v.say("HTTP/1.1 103 Early Hints\r\n\r\n"); return false }},
		{"half a body", false, func(v *visit) bool { v.say("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi"); return false }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			both(t, limits{}, map[string]action{"/case": tc.do}, func(t *testing.T, rt transport, a *app) {
				if !tc.fresh {
					a.own(t, rt, "/first")
				}
				o := fetch(rt, request(t.Context(), "GET", "/case"))
				if n, _ := a.count("/case"); o.err() == nil || n != 1 {
					t.Errorf("%v, %d requests", o.err(), n)
				}
				a.own(t, rt, "/next")
			})
		})
	}
}

// An app that closes every connection after its answer without a word is served by
// new ones. We look before we write, so that not even a POST, which cannot be
// repeated, meets a closed one.
func TestClosedWhileIdle(t *testing.T) {
	script := map[string]action{"/case": func(v *visit) bool { own(v); return false }}
	both(t, limits{}, script, func(t *testing.T, rt transport, a *app) {
		method := "GET"
		if rt.ours {
			method = "POST"
		}
		for i := range 20 {
			if o := fetch(rt, request(t.Context(), method, "/case")); o.body != ownBody("/case") || o.err() != nil {
				t.Errorf("%q, %v", o.body, o.err())
			}
			a.closed(t, i)
		}
	})
}

// A caller leaves: its request ends at once and with its cause, and the next one
// gets its own answer, on another connection, although the app goes on with the old
// one.
func TestCallerLeaves(t *testing.T) {
	left := errors.New("left")
	for _, tc := range []struct{ name, before, after string }{
		{"before the answer", "", "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nothers"},
		{"in the header", "HTTP/1.1 200 OK\r\nContent-", "Length: 6\r\n\r\nothers"},
		{"after early hints", "HTTP/1.1 103 Early Hints\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nothers"},
		{"in the body", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi", "thereHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nothers"},
		{"in a chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhi", "there\r\n0\r\n\r\n"},
		{"in the last body", "HTTP/1.1 200 OK\r\n\r\nhi", "there"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			script := map[string]action{}
			both(t, limits{}, script, func(t *testing.T, rt transport, a *app) {
				a.own(t, rt, "/first")
				ctx, cancel := context.WithCancelCause(t.Context())
				gone := make(chan struct{})
				inBody := strings.HasSuffix(tc.before, "hi")
				script["/case"] = func(v *visit) bool {
					v.say(tc.before)
					if !inBody {
						cancel(left)
					}
					<-gone
					v.say(tc.after)
					return true
				}
				res, err := rt.RoundTrip(request(ctx, "GET", "/case"))
				if inBody && err == nil {
					io.ReadFull(res.Body, make([]byte, 2))
					cancel(left)
					_, err = io.ReadAll(res.Body)
				}
				if !errors.Is(err, left) {
					t.Errorf("%v, want %v", err, left)
				}
				close(gone)
				for i := range 3 {
					a.own(t, rt, fmt.Sprint("/next/", i))
				}
				a.closed(t, 0)
			})
		})
	}
}

// Who has left before the beginning sends nothing.
func TestCallerHasLeft(t *testing.T) {
	both(t, limits{}, nil, func(t *testing.T, rt transport, a *app) {
		left := errors.New("left")
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(left)
		if o := fetch(rt, request(ctx, "GET", "/case")); !errors.Is(o.err(), left) {
			t.Errorf("%v", o.err())
		}
		if n, conns := a.count("/case"); n != 0 || conns != 0 {
			t.Errorf("%d requests, %d connections", n, conns)
		}
	})
}

// A caller leaves just before the end of its body, which is there already.
func TestCallerLeavesAtTheEnd(t *testing.T) {
	a := newApp(t, nil)
	tr := ours(t, a, limits{maxIdle: 4, idle: time.Hour})
	ctx, cancel := context.WithCancel(t.Context())
	res, err := tr.RoundTrip(request(ctx, "GET", "/"))
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	io.ReadAll(res.Body)
	if n := len(tr.idle.conns); n != 0 {
		t.Errorf("%d idle connections, which may be closed at any time", n)
	}
	a.closed(t, 0)
}

// A caller who leaves after its answer takes nothing along.
func TestCallerLeavesAfterwards(t *testing.T) {
	both(t, limits{}, nil, func(t *testing.T, rt transport, a *app) {
		for i := range 20 {
			ctx, cancel := context.WithCancel(t.Context())
			a.own(t, rt, fmt.Sprint("/", i))
			if o := fetch(rt, request(ctx, "GET", "/mine")); o.body != ownBody("/mine") {
				t.Errorf("%q, %v", o.body, o.err())
			}
			cancel()
		}
		if _, conns := a.count(""); conns != 1 {
			t.Errorf("%d connections", conns)
		}
	})
}

// A body that is not read to its end takes the connection along; one that was
// says nothing more, whatever its connection has had since.
func TestClose(t *testing.T) {
	both(t, limits{}, nil, func(t *testing.T, rt transport, a *app) {
		whole, err := rt.RoundTrip(request(t.Context(), "GET", "/whole"))
		if err != nil {
			t.Fatal(err)
		}
		io.ReadAll(whole.Body)
		part, err := rt.RoundTrip(request(t.Context(), "GET", "/part"))
		if err != nil {
			t.Fatal(err)
		}
		if n, err := whole.Body.Read(make([]byte, 9)); n != 0 || err != io.EOF {
			t.Errorf("after its end: %d, %v", n, err)
		}
		if err := errors.Join(whole.Body.Close(), whole.Body.Close()); err != nil {
			t.Error(err)
		}
		part.Body.Read(make([]byte, 9))
		if err := part.Body.Close(); err != nil {
			t.Error(err)
		}
		if n, err := part.Body.Read(make([]byte, 9)); n != 0 || err == nil || err == io.EOF {
			t.Errorf("after Close: %d, %v", n, err)
		}
		a.closed(t, 0)
		a.own(t, rt, "/next")
		if _, conns := a.count(""); conns != 2 {
			t.Errorf("%d connections", conns)
		}
	})
}

// Close ends a Read that waits.
func TestCloseWhileReading(t *testing.T) {
	script := map[string]action{"/case": func(v *visit) bool {
		v.say("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n")
		v.Read(make([]byte, 1))
		return false
	}}
	both(t, limits{}, script, func(t *testing.T, rt transport, a *app) {
		res, err := rt.RoundTrip(request(t.Context(), "GET", "/case"))
		if err != nil {
			t.Fatal(err)
		}
		over := make(chan error)
		go func() {
			_, err := res.Body.Read(make([]byte, 9))
			over <- err
		}()
		time.Sleep(5 * time.Millisecond) // likely it waits by now; it must not matter
		res.Body.Close()
		if err := <-over; err == nil {
			t.Error("read something")
		}
	})
}

// A header that does not come in time is an error that says so; a body may take
// longer, and no deadline stays on a connection.
func TestAnswerTimeout(t *testing.T) {
	const timeout = 500 * time.Millisecond // longer than what a busy machine does at once
	for name, before := range map[string]string{"nothing": "", "half": "HTTP/1.1 200", "interim": "HTTP/1.1 103 Early Hints\r\n\r\n"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			script := map[string]action{"/case": func(v *visit) bool {
				v.say(before)
				v.Read(make([]byte, 1))
				return false
			}, "/slow": func(v *visit) bool {
				v.say("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsl")
				time.Sleep(3 * timeout / 2)
				v.say("owly")
				return true
			}}
			both(t, limits{answer: timeout}, script, func(t *testing.T, rt transport, a *app) {
				for range 2 {
					if o := fetch(rt, request(t.Context(), "GET", "/slow")); o.body != "slowly" || o.err() != nil {
						t.Errorf("%q, %v", o.body, o.err())
					}
				}
				var network net.Error
				o := fetch(rt, request(t.Context(), "GET", "/case"))
				if !errors.As(o.noHead, &network) || !network.Timeout() {
					t.Errorf("%v", o.noHead)
				}
				if n, _ := a.count("/case"); n != 1 {
					t.Errorf("%d requests", n)
				}
				a.closed(t, 0)
				a.own(t, rt, "/next")
			})
		})
	}
}

func TestIdle(t *testing.T) {
	t.Run("timeout", func(t *testing.T) {
		both(t, limits{idle: 50 * time.Millisecond}, nil, func(t *testing.T, rt transport, a *app) {
			a.own(t, rt, "/first")
			a.closed(t, 0)
			a.own(t, rt, "/next")
			a.closed(t, 1)
		})
	})
	t.Run("most", func(t *testing.T) {
		const n = 8
		script := map[string]action{}
		both(t, limits{maxIdle: 3}, script, func(t *testing.T, rt transport, a *app) {
			var here, callers sync.WaitGroup
			here.Add(n)
			script["/case"] = func(v *visit) bool {
				here.Done()
				here.Wait() // so that each has a connection of its own
				return own(v)
			}
			for range n {
				callers.Go(func() { a.own(t, rt, "/case") })
			}
			callers.Wait()
			a.until(t, "three are left", func() bool { return len(a.open) == 3 })
			rt.closeIdle()
			a.until(t, "none is left", func() bool { return len(a.open) == 0 })
			a.own(t, rt, "/next")
		})
	})
}

// However late the timer is, no connection is used that the app may be closing.
func TestTooOld(t *testing.T) {
	a := newApp(t, nil)
	tr := ours(t, a, limits{maxIdle: 4, idle: time.Hour})
	a.own(t, tr, "/first")
	tr.idle.conns[0].idled = time.Now().Add(-time.Hour)
	a.own(t, tr, "/next")
	a.closed(t, 0)
}

func TestDialFails(t *testing.T) {
	both(t, limits{}, nil, func(t *testing.T, rt transport, a *app) {
		dial := func(context.Context) (net.Conn, error) {
			return nil, &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", errors.ErrUnsupported)}
		}
		if rt.ours {
			rt.RoundTripper.(*Transport).o.Dial = dial
		} else {
			rt.RoundTripper.(*http.Transport).DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) }
		}
		var op *net.OpError
		if o := fetch(rt, request(t.Context(), "GET", "/")); !errors.As(o.noHead, &op) || op.Op != "dial" {
			t.Errorf("%v", o.noHead)
		}
	})
}

// A connection that cannot be looked at carries one request.
func TestNoSocket(t *testing.T) {
	a := newApp(t, nil)
	tr := ours(t, a, limits{maxIdle: 4, idle: time.Hour})
	tr.o.Dial = func(ctx context.Context) (net.Conn, error) {
		c, err := a.dial(ctx)
		return struct{ net.Conn }{c}, err
	}
	for i := range 3 {
		a.own(t, tr, fmt.Sprint("/", i))
	}
	if _, conns := a.count(""); conns != 3 {
		t.Errorf("%d connections", conns)
	}
	tr.CloseIdleConnections()
}

// Many callers, some of whom leave, with an app that now and then closes, says too
// much, or is slow: whoever gets an answer gets its own.
func TestManyCallers(t *testing.T) {
	var n atomic.Int32
	script := map[string]action{}
	for kind, do := range []action{
		own,
		func(v *visit) bool { own(v); return false },
		nil, // see below
		func(v *visit) bool { v.say("HTTP/1.1 200 OK\r\nContent-Length: 64\r\n\r\n"); return false },
		func(v *visit) bool { time.Sleep(time.Millisecond); return own(v) },
		func(v *visit) bool { return false },
	} {
		for i := range 64 {
			script[fmt.Sprintf("/%d/%d", kind, i)] = do
		}
	}
	both(t, limits{maxIdle: 8}, script, func(t *testing.T, rt transport, a *app) {
		for i := range 64 {
			// net/http may take the second for the next request's: it looks at what
			// it has read only once the connection is among the idle ones.
			if path := fmt.Sprint("/2/", i); rt.ours {
				script[path] = func(v *visit) bool {
					v.say(ownAnswer(path) + "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nothers")
					return true
				}
			}
		}
		var callers sync.WaitGroup
		for caller := range 8 {
			callers.Go(func() {
				for i := range 200 {
					path := fmt.Sprintf("/%d/%d", n.Add(1)%7, (i+caller)%64)
					ctx, cancel := context.WithCancel(t.Context())
					if i%5 == 0 {
						time.AfterFunc(time.Duration(i)*5*time.Microsecond, cancel)
					}
					o := fetch(rt, request(ctx, "GET", path))
					if o.err() == nil && o.body != ownBody(path) {
						t.Errorf("%s: %q", path, o.body)
					}
					if o.err() == nil && strings.HasPrefix(path, "/3") {
						t.Errorf("%s: no error", path)
					}
					cancel()
				}
			})
		}
		callers.Wait()
	})
}
