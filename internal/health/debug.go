package health

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// maxBody bounds what is read of a request, in bytes: a log level is a word.
const maxBody = 64

// Debug is the loopback listener's handler: POST /drain answers when the drain
// is over, GET and POST /log-level read and set the level.
//
// Whoever can reach it may use it, so it must listen on loopback or a unix
// socket alone. A browser in the pod's network could be made to call it: the
// Host must be a loopback name (DNS rebinding), and changes take a POST that
// comes from no other site.
func Debug(drain func(context.Context) error, level zap.AtomicLevel) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /drain", func(w http.ResponseWriter, r *http.Request) {
		// A drain takes as long as the operator says; the listener's own time
		// limits are for requests.
		http.NewResponseController(w).SetWriteDeadline(time.Time{})
		if err := drain(r.Context()); err == nil {
			fmt.Fprintln(w, "drained")
		}
	})
	mux.HandleFunc("GET /log-level", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, level) })
	mux.HandleFunc("POST /log-level", func(w http.ResponseWriter, r *http.Request) { setLevel(w, r, level) })
	return loopbackOnly(http.NewCrossOriginProtection().Handler(mux))
}

func setLevel(w http.ResponseWriter, r *http.Request, level zap.AtomicLevel) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	word := strings.TrimSpace(string(body))
	switch word {
	case "debug", "info", "warn", "error":
	default:
		err = fmt.Errorf("send debug, info, warn or error")
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	l, _ := zapcore.ParseLevel(word)
	level.SetLevel(l)
	fmt.Fprintln(w, level)
}

func loopbackOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		if !fromLoopback(r) || !isUnix(r) && !loopbackHost(r.Host) {
			http.Error(w, "this listener is for loopback: call it as 127.0.0.1 or localhost", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func isUnix(r *http.Request) bool {
	a, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	return ok && a.Network() == "unix"
}

func loopbackHost(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	a, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && a.Unmap().IsLoopback()
}
