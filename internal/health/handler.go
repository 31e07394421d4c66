package health

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
)

// Handler is the admin listener's: /startupz, /livez, /readyz and /metrics.
//
// A probe gets one word, and 200 or 503. From loopback it gets, in plain text,
// what is not as it should be and why; with Accept: application/json an object.
// The reasons are for whoever is in the pod: others get the state alone.
func (h *Health) Handler(metrics http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metrics)
	mux.HandleFunc("GET /startupz", probe("started", h.startupProblems))
	mux.HandleFunc("GET /livez", probe("alive", func() []problem { return nil }))
	mux.HandleFunc("GET /readyz", probe("ready", h.readyProblems))
	return mux
}

func probe(word string, problems func() []problem) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		p := problems()
		state, code := "ok", http.StatusOK
		if len(p) > 0 {
			state, code = "not-"+word, http.StatusServiceUnavailable
		}
		if !fromLoopback(r) {
			p = nil
		}
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if strings.Contains(r.Header.Get("Accept"), "application/json") {
			writeJSON(w, code, state, p)
			return
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(code)
		fmt.Fprintln(w, state)
		for _, x := range p {
			fmt.Fprintf(w, "%s: %s\n", x.Name, x.Why)
		}
	}
}

func writeJSON(w http.ResponseWriter, code int, state string, p []problem) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	json.NewEncoder(w).Encode(struct {
		State    string    `json:"state"`
		Problems []problem `json:"problems,omitempty"`
	}{state, p})
}

// fromLoopback goes by the socket's other end and not by any header. A unix
// socket's is in this machine.
func fromLoopback(r *http.Request) bool {
	if a, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		return a.Addr().Unmap().IsLoopback()
	}
	return r.RemoteAddr == "" || r.RemoteAddr == "@"
}
