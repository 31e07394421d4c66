package health

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/pprof"
	"strings"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// maxBody bounds what is read of a request, in bytes: a log level is a word.
const maxBody = 64

// Debug is the loopback listener's handler:
//
//	POST /drain      calls drain, and answers when that returns: 200, or 503
//	                 if it returned an error
//	GET  /log-level  the level
//	POST /log-level  sets it: debug, info, warn or error, as the body
//	GET  /debug/pprof/  profiles (net/http/pprof)
//	GET  /              page, and what is below it
//
// drain is called once a request, and its context ends when the caller hangs
// up. It must bear both: what was begun goes on.
//
// Whoever can reach it may use it, so it must listen on loopback or a unix
// socket alone. A browser in the pod's network could be made to call it: the
// Host must be a loopback name (DNS rebinding), and changes take a POST that
// comes from no other site.
func Debug(drain func(context.Context) error, level zap.AtomicLevel, page http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", page)
	mux.HandleFunc("/drain", notAllowed("POST"))
	mux.HandleFunc("/log-level", notAllowed("GET, HEAD, POST"))
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	mux.HandleFunc("POST /drain", func(w http.ResponseWriter, r *http.Request) { answerDrain(w, r, drain) })
	mux.HandleFunc("GET /log-level", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, level) })
	mux.HandleFunc("POST /log-level", func(w http.ResponseWriter, r *http.Request) { setLevel(w, r, level) })
	return loopbackOnly(http.NewCrossOriginProtection().Handler(mux))
}

// notAllowed is for other methods, which page would not know.
func notAllowed(allow string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Allow", allow)
		http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
	}
}

func answerDrain(w http.ResponseWriter, r *http.Request, drain func(context.Context) error) {
	// A drain takes as long as the operator says; the listener's own time
	// limits are for requests.
	http.NewResponseController(w).SetWriteDeadline(time.Time{})
	if err := drain(r.Context()); err != nil {
		// sallyport drain must not take this for a drain that is over.
		http.Error(w, oneLine(err.Error()), http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "drained")
}

func setLevel(w http.ResponseWriter, r *http.Request, level zap.AtomicLevel) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		http.Error(w, "the body is too large", http.StatusRequestEntityTooLarge)
		return
	}
	l, ok := levels[strings.TrimSpace(string(body))]
	if err != nil || !ok {
		http.Error(w, "send debug, info, warn or error", http.StatusBadRequest)
		return
	}
	level.SetLevel(l)
	fmt.Fprintln(w, level)
}

// levels leaves out those above error, which would hide errors.
var levels = map[string]zapcore.Level{
	"debug": zapcore.DebugLevel,
	"info":  zapcore.InfoLevel,
	"warn":  zapcore.WarnLevel,
	"error": zapcore.ErrorLevel,
}

// strict is what a browser is told with each answer: to keep nothing, guess nothing,
// tell nobody, run nothing and frame nothing. A page that needs more says so itself.
var strict = map[string]string{
	"Cache-Control":           "no-store",
	"X-Content-Type-Options":  "nosniff",
	"Referrer-Policy":         "no-referrer",
	"Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
}

// loopbackOnly lets through what comes from this machine and calls it so.
func loopbackOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name, value := range strict {
			w.Header().Set(name, value)
		}
		if !byUnixSocket(r) && !(fromLoopback(r) && namesLoopback(r.Host)) {
			http.Error(w, "this listener is for loopback: call it as 127.0.0.1 or localhost", http.StatusForbidden)
			return
		}
		if fromAnotherSite(r) {
			http.Error(w, "another site's page asks for this: open it by itself", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// fromAnotherSite reports whether a browser asks for another site's page, which may
// start profiles and hold the places of those who watch, though it can read nothing.
// Whoever follows a link there to the page itself may (W3C Fetch Metadata).
func fromAnotherSite(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "none", "same-origin":
		return false
	}
	return r.Method != http.MethodGet || r.URL.Path != "/" || r.Header.Get("Sec-Fetch-Mode") != "navigate"
}
