package status

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

const (
	// refresh is how often a page that is open looks for something new: what happens
	// is to be seen within a second, the way to the browser included.
	refresh = 500 * time.Millisecond
	// maxWatchers is how many pages may be open: a few people, twice.
	maxWatchers = 16
	// watch bounds how long one is kept up to date. The browser then asks again.
	watch = time.Hour
	// patience is for a page that does not read: longer than a laptop's network is away
	// for nothing.
	patience = 10 * time.Second
)

//go:embed static/style.css
var style string

//go:embed static/page.js
var script string

// Handler serves the page below "/", as JSON below "/status", and what changes of it
// below "/events". It belongs on a listener that only this machine can reach.
//
// snapshot is called for each, twice a second for each page that is open.
func Handler(snapshot func() *Snapshot) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		head := w.Header()
		// Nothing but our own files, and no frame around us.
		head.Set("Content-Security-Policy", "default-src 'none'; img-src data:; style-src 'self'; script-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		head.Set("Content-Type", "text/html; charset=utf-8")
		write(w, page(snapshot()))
	})
	mux.HandleFunc("GET /style.css", file("text/css; charset=utf-8", style))
	mux.HandleFunc("GET /page.js", file("text/javascript; charset=utf-8", script))
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		// An error means that the reader has left.
		_ = json.NewEncoder(w).Encode(snapshot())
	})
	watchers := make(chan struct{}, maxWatchers)
	mux.HandleFunc("GET /events", func(w http.ResponseWriter, r *http.Request) {
		select {
		case watchers <- struct{}{}:
			defer func() { <-watchers }()
			events(w, r, snapshot)
		default:
			http.Error(w, "too many pages are open: close one", http.StatusServiceUnavailable)
		}
	})
	return mux
}

func file(media, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", media)
		write(w, text)
	}
}

// write ignores the error: whoever does not read has left.
func write(w http.ResponseWriter, text string) { _, _ = w.Write([]byte(text)) }

// asData keeps all lines of a text in one event. A carriage return ends a line too,
// and no text of ours has one.
var asData = strings.NewReplacer("\r", " ", "\n", "\ndata: ")

// events sends the page's body whenever it is another.
func events(w http.ResponseWriter, r *http.Request, snapshot func() *Snapshot) {
	c := http.NewResponseController(w)
	w.Header().Set("Content-Type", "text/event-stream")
	ticker, end := time.NewTicker(refresh), time.After(watch)
	defer ticker.Stop()
	last := ""
	for {
		if now := body(snapshot()); now != last {
			last = now
			// Who does not read for so long has left.
			_ = c.SetWriteDeadline(time.Now().Add(patience))
			fmt.Fprintf(w, "data: %s\n\n", asData.Replace(now))
			if c.Flush() != nil {
				return
			}
		}
		select {
		case <-ticker.C:
		case <-end:
			return
		case <-r.Context().Done():
			return
		}
	}
}
