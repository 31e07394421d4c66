package health

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"strings"
)

// Handler is the admin listener's, which everybody in the cluster may reach:
//
//	/startupz  ok or not-started: the conditions for it held once
//	/livez     ok: this program answers, and nothing else is looked at
//	/readyz    ok or not-ready: the app may get traffic
//	/metrics   the handler given
//
// A probe gets one word, and 200 or 503. From loopback it gets, in plain text,
// what is not as it should be and why; with Accept: application/json an object
// {"state", "problems": [{"name", "why"}]}. The reasons are for whoever is in
// the pod: others get the state alone. Everything else is 404, and not a
// redirect to what it looks like.
func (h *Health) Handler(metrics http.Handler) http.Handler {
	paths := map[string]http.Handler{
		"/metrics":  metrics,
		"/startupz": probe("not-started", h.startupProblems),
		"/livez":    probe("not-alive", func() []problem { return nil }),
		"/readyz":   probe("not-ready", h.readyProblems),
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch next := paths[r.URL.Path]; {
		case next == nil:
			http.NotFound(w, r)
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "use GET or HEAD", http.StatusMethodNotAllowed)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// probe answers with ok, or with bad where there are problems.
func probe(bad string, problems func() []problem) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p := problems()
		state, code := "ok", http.StatusOK
		if len(p) > 0 {
			state, code = bad, http.StatusServiceUnavailable
		}
		if !fromLoopback(r) {
			p = nil
		}
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if wantsJSON(r) {
			writeJSON(w, code, state, p)
			return
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(code)
		fmt.Fprintln(w, state)
		for _, x := range p {
			fmt.Fprintf(w, "%s: %s\n", x.Name, x.Why)
		}
	})
}

func writeJSON(w http.ResponseWriter, code int, state string, p []problem) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	json.NewEncoder(w).Encode(struct {
		State    string    `json:"state"`
		Problems []problem `json:"problems,omitempty"`
	}{state, p})
}

// wantsJSON reports whether Accept names JSON. How much it is liked beside other
// types does not matter: only tools name it at all.
func wantsJSON(r *http.Request) bool {
	for _, v := range r.Header.Values("Accept") {
		for part := range strings.SplitSeq(v, ",") {
			if t, _, _ := mime.ParseMediaType(part); t == "application/json" {
				return true
			}
		}
	}
	return false
}

// oneLine keeps an error that holds a line break, of a file's content perhaps,
// from looking like two problems.
func oneLine(s string) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f {
			return ' '
		}
		return c
	}, s)
}
