package proxy

import (
	"net/http"

	"golang.org/x/net/http/httpguts"
)

// mayTrail reports whether a trailer of that name may pass, in either direction:
// not what frames or routes a message or holds a credential (RFC 9110 section
// 6.5.1). Whoever gets it may not tell a trailer from a header.
func mayTrail(name string) bool {
	return httpguts.ValidTrailerHeader(name) && httpguts.ValidHeaderFieldName(name) && !reservedNames.has(name)
}

// controlNames are what an answer says before its content or not at all: cookies,
// challenges, and how it may be stored (RFC 7230 section 4.1.2, which names the
// classes that RFC 9110 leaves to each field).
var controlNames = nameSet{exact: []string{
	"set-cookie", "set-cookie2", "www-authenticate",
	"age", "cache-control", "date", "expires", "location", "retry-after", "vary", "warning",
}}

// filterTrailers removes from an answer's trailers what may not be there. net/http
// does so with what is announced, and passes on the rest in HTTP/1.1.
func filterTrailers(res *http.Response) {
	for name := range res.Trailer {
		if !mayTrail(name) || controlNames.has(name) {
			delete(res.Trailer, name)
		}
	}
}
