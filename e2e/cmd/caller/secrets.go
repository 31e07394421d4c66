package main

import (
	"net/http"
	"os"
	"sync"

	"sallyport/e2e/secrets"
)

// known is what all tokens are known by that this caller has ever had to do with.
var known = book{set: secrets.Set{}, seen: map[string]bool{}}

type book struct {
	mu   sync.Mutex
	set  secrets.Set
	seen map[string]bool
}

func (b *book) add(token string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.seen[token] {
		b.seen[token] = true
		b.set.Add(token)
	}
}

func (b *book) data() ([]byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.set.MarshalBinary()
}

// tellSecrets tells what all tokens are known by, those in the files included
// that the request names.
func tellSecrets(w http.ResponseWriter, r *http.Request) {
	var files []string
	if !read(w, r, &files) {
		return
	}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			http.Error(w, err.Error(), http.StatusNotFound)
			return
		}
		known.add(string(data))
	}
	data, err := known.data()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Write(data)
}
