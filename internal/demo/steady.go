package demo

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"sync"
	"time"
)

// beat is the pause between two requests of the steady client: often enough
// that no moment of a scene goes without one.
const beat = 100 * time.Millisecond

// A tally says how a number of requests went.
type tally struct {
	all, good int
	// wrong is the first answer of those that were not 200.
	wrong answer
}

// String says it in a few words.
func (t tally) String() string {
	if t.all == t.good {
		return fmt.Sprintf("steady 200 x%d", t.all)
	}
	return fmt.Sprintf("steady %d of %d not 200, the first: %s %s", t.all-t.good, t.all, t.wrong.status(), t.wrong.told())
}

// err is nil where there were some requests, and all were good.
func (t tally) err() error {
	if t.all == 0 || t.all != t.good {
		return fmt.Errorf("%v", t)
	}
	return nil
}

// A steady client is what every caller should be: it reads its token anew for
// each request. It calls all the time, whatever happens around it, and should
// never notice.
type steady struct {
	world *world
	path  string // of its token

	mu    sync.Mutex
	total tally
	marks map[*tally]bool
	token string // of the last request
	code  int
}

func newSteady(w *world, path string) *steady {
	return &steady{world: w, path: path, marks: map[*tally]bool{}}
}

// run calls until ctx ends.
func (s *steady) run(ctx context.Context) {
	for {
		s.request(ctx)
		select {
		case <-ctx.Done():
			return
		case <-time.After(beat):
		}
	}
}

func (s *steady) request(ctx context.Context) {
	token, err := os.ReadFile(s.path)
	a := answer{err: err}
	if err == nil {
		a = s.world.call(ctx, "/steady", string(token))
	}
	if ctx.Err() != nil {
		return // cut by us
	}
	s.note(string(token), a)
}

// note counts, and tells of the first answer to each token and of each change.
func (s *steady) note(token string, a answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if token != s.token {
		s.world.story.answered("steady", "first request with "+short(token), a)
	} else if a.code != s.code {
		s.world.story.answered("steady", "from now on with "+short(token), a)
	}
	s.token, s.code = token, a.code
	s.total.add(a)
	for t := range s.marks {
		t.add(a)
	}
}

func (t *tally) add(a answer) {
	t.all++
	if a.code == http.StatusOK {
		t.good++
	} else if t.wrong.code == 0 && t.wrong.err == nil {
		t.wrong = a
	}
}

// tally is of all requests so far.
func (s *steady) tally() tally {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.total
}

// mark begins to count apart; the function that it returns ends that.
func (s *steady) mark() (end func() tally) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := &tally{}
	s.marks[t] = true
	return func() tally {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.marks, t)
		return *t
	}
}
