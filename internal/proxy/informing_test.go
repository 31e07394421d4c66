package proxy

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// An h2Writer treats interim answers as net/http's HTTP/2 server does: it goes on
// reading the map that it was given, or copies it.
type h2Writer struct {
	*httptest.ResponseRecorder
	interim, kept int
}

func (w *h2Writer) WriteHeader(code int) {
	if code > 199 {
		w.ResponseRecorder.WriteHeader(code)
		return
	}
	w.interim++
	_, length := w.Header()["Content-Length"]
	_, encoding := w.Header()["Transfer-Encoding"]
	if !length && !encoding {
		w.kept++
	}
}

// An interim answer's header is not the one that is changed next, whoever carries it.
func TestInterimIsCopied(t *testing.T) {
	h := inform(t)
	for _, body := range []string{"", "a body"} {
		for minor, interim := range []int{0, 2} { // HTTP/1.0 has none
			w := &h2Writer{ResponseRecorder: httptest.NewRecorder()}
			r := httptest.NewRequest("POST", "/", strings.NewReader(body))
			r.ProtoMinor = minor
			r.Header.Set("Authorization", "Bearer "+secret)
			h.ServeHTTP(w, r)
			if w.Code != 200 || w.interim != interim || w.kept != 0 || len(w.Header()["Transfer-Encoding"]) != 0 || len(w.Header()["Link"]) != 0 {
				t.Errorf("HTTP/1.%d with %q: %d after %d interim answers, of which %d are read by two; %q, %q", minor, body, w.Code, w.interim, w.kept,
					w.Header()["Transfer-Encoding"], w.Header()["Link"])
			}
		}
	}
}

// Callers who reset their streams at an interim answer harm nobody. It takes the race
// detector to see most of it.
func TestResetAtInterim(t *testing.T) {
	gate := httptest.NewUnstartedServer(inform(t))
	gate.Config.ErrorLog = quiet
	gate.EnableHTTP2 = true
	gate.StartTLS()
	defer gate.Close()
	var callers sync.WaitGroup
	for i := range 8 {
		callers.Go(func() {
			for range 20 {
				ctx, leave := context.WithCancel(httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{}))
				n := 0
				ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{Got1xxResponse: func(int, textproto.MIMEHeader) error {
					if n++; n > i%2 {
						leave()
					}
					return nil
				}})
				r, err := http.NewRequestWithContext(ctx, "POST", gate.URL, strings.NewReader([]string{"", "a body"}[i/2%2]))
				if err != nil {
					t.Error(err)
					return
				}
				r.Header.Set("Authorization", "Bearer "+secret)
				if res, err := gate.Client().Do(r); err == nil {
					io.Copy(io.Discard, res.Body)
					res.Body.Close()
				}
				leave()
			}
		})
	}
	callers.Wait()
}

// inform returns a gate before an app that hints twice, and then answers.
func inform(t *testing.T) http.Handler {
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for i := range 200 {
			w.Header().Set(fmt.Sprint("X-", i), "a")
		}
		w.Header().Set("Link", "</a>")
		w.WriteHeader(103)
		w.WriteHeader(103)
		w.Header().Del("Link")
	}))
	t.Cleanup(app.Close)
	u, err := url.Parse(app.URL)
	if err != nil {
		t.Fatal(err)
	}
	transport, err := NewTransport(UpstreamOptions{URL: u})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(transport.CloseIdleConnections)
	h, err := New(Options{Authenticator: admitSecret, Target: transport.Target(), Transport: transport})
	if err != nil {
		t.Fatal(err)
	}
	return h
}
