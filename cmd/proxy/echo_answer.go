package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// seen is what the app saw of a request. Authorization is told, its value never
// is.
type seen struct {
	Method        string      `json:"method"`
	Target        string      `json:"target"` // raw, with the query
	Host          string      `json:"host"`
	Proto         string      `json:"proto"`
	Identity      http.Header `json:"identity"`
	Forwarded     http.Header `json:"forwarded"`
	Authorization bool        `json:"authorization"`
	BodyBytes     int64       `json:"bodyBytes"`
	BodyError     string      `json:"bodyError,omitempty"`
	Trailers      http.Header `json:"trailers,omitempty"`
}

func echoHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		if r.URL.Path == "/healthz" {
			io.WriteString(w, "ok\n")
			return
		}
		s := look(r)
		if strings.Contains(r.Header.Get("Accept"), "application/json") {
			w.Header().Set("Content-Type", "application/json")
			json.NewEncoder(w).Encode(s) // a caller that has gone is no matter
			return
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		s.print(w)
	})
}

// look reads all of r. The body is counted and not kept.
func look(r *http.Request) seen {
	s := seen{
		Method:        r.Method,
		Target:        r.RequestURI,
		Host:          r.Host,
		Proto:         r.Proto,
		Identity:      pick(r.Header, "x-remote-", "impersonate-"),
		Forwarded:     pick(r.Header, "x-forwarded-", "x-real-ip", "forwarded"),
		Authorization: len(r.Header["Authorization"]) > 0,
	}
	n, err := io.Copy(io.Discard, r.Body)
	s.BodyBytes = n
	if err != nil {
		s.BodyError = err.Error()
	}
	s.Trailers = r.Trailer.Clone() // complete once the body has been read
	if _, ok := s.Trailers["Authorization"]; ok {
		s.Trailers["Authorization"] = []string{"(there, not shown)"}
	}
	return s
}

// pick takes every spelling: an app may read X_Remote_User as X-Remote-User, and
// what should not have come through must not be hidden here.
func pick(h http.Header, prefixes ...string) http.Header {
	picked := http.Header{}
	for name, values := range h {
		folded := strings.ReplaceAll(strings.ToLower(name), "_", "-")
		if slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(folded, p) }) {
			picked[name] = values
		}
	}
	return picked
}

func (s seen) print(w io.Writer) {
	fmt.Fprintf(w, "%s %s %s\nHost: %s\n", s.Method, s.Target, s.Proto, s.Host)
	lines(w, "", s.Identity)
	lines(w, "", s.Forwarded)
	fmt.Fprintf(w, "(Authorization: %s)\n", map[bool]string{true: "yes", false: "no"}[s.Authorization])
	fmt.Fprintf(w, "(body: %d bytes)\n", s.BodyBytes)
	if s.BodyError != "" {
		fmt.Fprintf(w, "(body broke off: %s)\n", s.BodyError)
	}
	lines(w, "trailer ", s.Trailers)
}

func lines(w io.Writer, prefix string, h http.Header) {
	for _, name := range slices.Sorted(maps.Keys(h)) {
		for _, value := range h[name] {
			fmt.Fprintf(w, "%s%s: %s\n", prefix, name, value)
		}
	}
}
