package main

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"sallyport/e2e/caller"
)

// problemsKept is enough to see what goes wrong.
const problemsKept = 10

// A load sends requests until it is stopped.
type load struct {
	end  chan struct{}
	done sync.WaitGroup

	mu    sync.Mutex
	tally caller.Tally
}

func begin(l caller.Load) *load {
	running := &load{end: make(chan struct{}), tally: caller.Tally{Statuses: map[int]int{}}}
	for range l.Workers {
		running.done.Go(func() { running.work(l) })
	}
	return running
}

// stop lets requests under way end, so that each is counted with its answer.
func (r *load) stop() {
	close(r.end)
	r.done.Wait()
}

func (r *load) work(l caller.Load) {
	for {
		answer, token := send(context.Background(), l.Request)
		r.count(answer, token)
		select {
		case <-r.end:
			return
		case <-time.After(l.Pause):
			if r.ended() { // without a pause both may be so
				return
			}
		}
	}
}

func (r *load) ended() bool {
	select {
	case <-r.end:
		return true
	default:
		return false
	}
}

func (r *load) count(a caller.Answer, token string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := &r.tally
	t.Sent++
	t.Slowest = max(t.Slowest, a.Took)
	status := a.Status
	if a.Error != "" {
		status = 0 // cut short is no answer
	}
	t.Statuses[status]++
	if status != http.StatusOK && len(t.Problems) < problemsKept {
		t.Problems = append(t.Problems, fmt.Sprintf("%s %v", time.Now().Format("15:04:05.000"), a))
	}
	if token != "" && !slices.Contains(t.Tokens, token) {
		t.Tokens = append(t.Tokens, token)
	}
}

func (r *load) read() caller.Tally {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.tally
	t.Statuses, t.Problems, t.Tokens = maps.Clone(t.Statuses), slices.Clone(t.Problems), slices.Clone(t.Tokens)
	return t
}
