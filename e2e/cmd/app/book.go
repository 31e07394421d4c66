package main

import (
	"encoding/json"
	"net/http"
	"os"
	"sync"
	"time"

	"sallyport/e2e/app"
)

// A book has the requests by user.
type book struct {
	mu    sync.Mutex
	state app.Event
}

// write returns a handler that counts, and answers with what look returns.
func (b *book) write(look func(*http.Request) any) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		b.begin(user(r))
		defer b.end(user(r))
		answer(w, look(r))
	}
}

func (b *book) begin(user string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := &b.state
	if s.UnderWay == nil {
		s.UnderWay, s.Answered = map[string]int{}, map[string]int{}
	}
	s.UnderWay[user]++
	if user == "" {
		s.Anonymous++
	}
}

func (b *book) end(user string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.state.UnderWay[user]--
	b.state.Answered[user]++
}

func (b *book) anonymous() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.state.Anonymous
}

func (b *book) log(what, user string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	event := b.state
	event.Time, event.What, event.User = time.Now(), what, user
	json.NewEncoder(os.Stdout).Encode(event)
}
