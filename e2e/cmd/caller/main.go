// Caller is the program of a caller's pod: it sends requests when the scenarios
// tell it to, over HTTP. It is no part of the product.
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"sync"

	"sallyport/e2e/caller"
)

func main() {
	var s server
	http.HandleFunc("POST /call", s.call)
	http.HandleFunc("POST /raw", raw)
	http.HandleFunc("POST /watch", watch)
	http.HandleFunc("POST /socket", socket)
	http.HandleFunc("POST /token", token)
	http.HandleFunc("POST /secrets", tellSecrets)
	http.HandleFunc("POST /load", s.startLoad)
	http.HandleFunc("GET /load", s.readLoad)
	http.HandleFunc("DELETE /load", s.stopLoad)
	http.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	log.Fatal(http.ListenAndServe(fmt.Sprintf(":%d", caller.Port), nil))
}

// server holds the load that is under way, if one is.
type server struct {
	mu   sync.Mutex
	load *load
}

func (s *server) call(w http.ResponseWriter, r *http.Request) {
	var req caller.Request
	if read(w, r, &req) {
		answer, _ := send(r.Context(), req)
		write(w, answer)
	}
}

func (s *server) startLoad(w http.ResponseWriter, r *http.Request) {
	var l caller.Load
	if !read(w, r, &l) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.load != nil {
		http.Error(w, "a load is under way", http.StatusConflict)
		return
	}
	s.load = begin(l)
	w.WriteHeader(http.StatusNoContent)
}

func (s *server) readLoad(w http.ResponseWriter, _ *http.Request) { s.tell(w, false) }

func (s *server) stopLoad(w http.ResponseWriter, _ *http.Request) { s.tell(w, true) }

func (s *server) tell(w http.ResponseWriter, stop bool) {
	s.mu.Lock()
	l := s.load
	if stop {
		s.load = nil
	}
	s.mu.Unlock()
	if l == nil {
		http.Error(w, "no load is under way", http.StatusNotFound)
		return
	}
	if stop {
		l.stop()
	}
	write(w, l.read())
}

func token(w http.ResponseWriter, r *http.Request) {
	var file string
	if !read(w, r, &file) {
		return
	}
	t, err := describe(file)
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	write(w, t)
}

func read(w http.ResponseWriter, r *http.Request, v any) bool {
	err := json.NewDecoder(r.Body).Decode(v)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
	}
	return err == nil
}

func write(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(v)
}
