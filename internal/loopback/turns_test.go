package loopback

import (
	"context"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A quickApp answers at once, without a word to the scheduler, and notes how many
// requests had begun when the first was written.
type quickApp struct {
	net.Conn
	begun, atFirst *atomic.Int32
	answer         *strings.Reader
}

func (q *quickApp) Write(p []byte) (int, error) {
	q.atFirst.CompareAndSwap(0, q.begun.Load())
	return len(p), nil
}

func (q *quickApp) Read(p []byte) (int, error) { return q.answer.Read(p) }

func (q *quickApp) Close() error { return nil }

// Requests that are ready together all come before the first of them is written.
func TestTurns(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // so that goroutines take turns
	const rounds, many = 100, 8
	together := 0
	for range rounds {
		var begun, atFirst atomic.Int32
		tr, err := New(Options{MaxHeader: maxHeader, Dial: func(context.Context) (net.Conn, error) {
			return &quickApp{begun: &begun, atFirst: &atFirst, answer: strings.NewReader(ownAnswer("/"))}, nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		var callers sync.WaitGroup
		for range many {
			callers.Go(func() {
				begun.Add(1)
				if o := fetch(tr, request(t.Context(), "GET", "/")); o.err() != nil {
					t.Error(o.err())
				}
			})
		}
		callers.Wait()
		if atFirst.Load() == many {
			together++
		}
	}
	// Now and then Go has one that waits for its turn go before others.
	if together < rounds/2 {
		t.Errorf("all had come before the first was written in %d rounds of %d", together, rounds)
	}
}

// Who has waited behind work that is no request spares the next ones that.
func TestHurry(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // so that others run while this waits
	var ts turns
	waits := func() bool {
		var ran atomic.Bool
		done := make(chan struct{})
		go func() {
			for begun := time.Now(); time.Since(begun) < 2*patience; {
			}
			ran.Store(true)
			close(done)
		}()
		ts.wait()
		defer func() { <-done }()
		return ran.Load()
	}
	one := func() (yes bool) {
		for range 5 { // as above, now and then
			yes = yes || waits()
		}
		return yes
	}
	if !one() {
		t.Fatal("the first does not wait")
	}
	if waits() {
		t.Error("the second waits as well")
	}
	for range inHurry - 1 {
		ts.wait()
	}
	if !one() {
		t.Error("nobody waits any more")
	}
}
