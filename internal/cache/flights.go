package cache

import (
	"sync"

	"sallyport/internal/authn"
)

// A flight is a decision under way about one token.
type flight struct {
	done chan struct{} // closed when the outcome is there
	outcome
}

// An outcome is what a decision ended with.
type outcome struct {
	id     authn.Identity
	source Source
	err    error
}

// flights are the decisions under way, one for each token. A flight has no goroutine
// for as long as it waits for a place: a thousand of them are strangers.
type flights struct {
	mu  sync.Mutex
	all map[key]*flight
}

// join returns the flight of k. Where there is none it begins, and whoever is first
// must see to it that it lands.
func (f *flights) join(k key) (of *flight, first bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if of = f.all[k]; of == nil {
		of, first = &flight{done: make(chan struct{})}, true
		f.all[k] = of
	}
	return of, first
}

// land tells the outcome to all who wait for k's flight. Who comes next begins another.
func (f *flights) land(k key, o outcome) {
	f.mu.Lock()
	of := f.all[k]
	delete(f.all, k)
	f.mu.Unlock()
	of.outcome = o
	close(of.done)
}
