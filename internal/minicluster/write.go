package minicluster

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
	"time"
)

// write sends the answer, or what the fault makes of it.
func (f Fault) write(w http.ResponseWriter, a answer) {
	body := a.bytes()
	h := w.Header()
	f.headers(h, a)
	switch f.Body {
	case Garbage:
		body = []byte("<html>\x00 nobody here speaks JSON")
	case Oversize:
		w.WriteHeader(a.code)
		endless(w)
		return
	case Truncate:
		h.Set("Content-Length", strconv.Itoa(len(body)))
		w.WriteHeader(a.code)
		w.Write(body[:len(body)/2])
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(a.code)
	w.Write(body)
}

func (a answer) bytes() []byte {
	if text, ok := a.body.(plain); ok {
		return []byte(text)
	}
	body, err := json.Marshal(a.body)
	if err != nil {
		panic(err) // every body is a struct of this package or of Kubernetes
	}
	return body
}

func (f Fault) headers(h http.Header, a answer) {
	h.Set("Content-Type", "application/json")
	if a.contentType != "" {
		h.Set("Content-Type", a.contentType)
	}
	if a.cacheable {
		h.Set("Cache-Control", "public, max-age="+strconv.Itoa(a.maxAge))
	}
	if f.RetryAfter != 0 {
		h.Set("Retry-After", strconv.Itoa(int(f.RetryAfter.Seconds())))
	}
	if f.Skew != 0 {
		h.Set("Date", time.Now().Add(f.Skew).UTC().Format(http.TimeFormat))
	}
	if f.Location != "" {
		h.Set("Location", f.Location)
	}
}

// endless writes a JSON string until nobody reads it any more.
func endless(w http.ResponseWriter) {
	chunk := bytes.Repeat([]byte("x"), 32<<10)
	_, err := w.Write([]byte(`{"kind":"`))
	for err == nil {
		_, err = w.Write(chunk)
	}
}
