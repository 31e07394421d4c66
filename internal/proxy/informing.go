package proxy

import (
	"net/http"

	"golang.org/x/net/http/httpguts"
)

// informing is a ResponseWriter whose interim answers (1xx) may be followed at once by
// a change of the header. net/http's HTTP/2 server keeps reading the very map where the
// caller has reset the stream meanwhile (golang/go#67940), and a map that is read and
// written at the same time ends the process: any caller could have done that to all.
type informing struct {
	http.ResponseWriter
	to *http.Request
}

// Unwrap is for [http.ResponseController].
func (w informing) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader implements http.ResponseWriter.
func (w informing) WriteHeader(code int) {
	if code >= 100 && code <= 199 && code != http.StatusSwitchingProtocols {
		if !w.to.ProtoAtLeast(1, 1) {
			return // RFC 9110, 15.2: HTTP/1.0 would take it for the answer
		}
		if code == http.StatusContinue && httpguts.HeaderValuesContainsToken(w.to.Header["Expect"], "100-continue") {
			return // net/http says it when the body is read, which is when the app has said it
		}
		// A header with this name is copied, so that it can be taken out; in
		// HTTP/1.1 it is left out.
		w.Header()["Transfer-Encoding"] = nil
	}
	w.ResponseWriter.WriteHeader(code)
}
