package loopback

import (
	"context"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
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
