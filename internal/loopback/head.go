package loopback

import (
	"bytes"
	"net/http"
	"net/textproto"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// writeHead writes r as HTTP/1.1, as net/http's transport would. Not ok: r is not
// for this transport. No byte that is written can end a line but our own CRLF.
//
// Unlike net/http, it does not make up a User-Agent.
func writeHead(w *bytes.Buffer, r *http.Request) (ok bool) {
	if !isCarried(r) {
		return false
	}
	target := r.URL.RequestURI()
	host := r.Host
	if host == "" {
		host = r.URL.Host
	}
	if !isVisible(target) || !isPlainHost(host) {
		return false
	}
	w.WriteString(r.Method)
	w.WriteByte(' ')
	w.WriteString(target)
	w.WriteString(" HTTP/1.1\r\nHost: ")
	w.WriteString(host)
	w.WriteString("\r\n")
	switch r.Method {
	case http.MethodPost, http.MethodPut, http.MethodPatch:
		w.WriteString("Content-Length: 0\r\n") // RFC 9110 section 8.6: their bodies have a meaning
	}
	for name, values := range r.Header {
		if !writeHeader(w, name, values) {
			return false
		}
	}
	w.WriteString("\r\n")
	return true
}

func isCarried(r *http.Request) bool {
	return (r.Body == nil || r.Body == http.NoBody) && r.ContentLength == 0 && len(r.TransferEncoding) == 0 &&
		len(r.Trailer) == 0 && !r.Close && r.URL != nil && r.URL.Scheme == "http" && r.URL.Host != "" &&
		httpguts.ValidHeaderFieldName(r.Method) && r.Method != http.MethodConnect // a method is a token too
}

func writeHeader(w *bytes.Buffer, name string, values []string) (ok bool) {
	switch name {
	case "Host", "Content-Length", "Transfer-Encoding", "Trailer":
		return true // the request itself says it
	case "Connection", "Upgrade", "Expect":
		return len(values) == 0
	case "User-Agent":
		// One alone; an empty one is how net/http is asked to send none.
		if len(values) == 0 || values[0] == "" {
			return true
		}
		values = values[:1]
	}
	if !httpguts.ValidHeaderFieldName(name) {
		return false
	}
	for _, v := range values {
		if !httpguts.ValidHeaderFieldValue(v) {
			return false
		}
		w.WriteString(name)
		w.WriteString(": ")
		w.WriteString(textproto.TrimString(v))
		w.WriteString("\r\n")
	}
	return true
}

// isVisible reports whether s has neither spaces nor control bytes.
func isVisible(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] == 0x7f {
			return false
		}
	}
	return true
}

// isPlainHost reports whether host is sent as it is: net/http turns Unicode into
// Punycode, and takes off the zone of an address.
func isPlainHost(host string) bool {
	for i := range len(host) {
		switch c := host[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte(".-_:[]", c) >= 0:
		default:
			return false
		}
	}
	return true
}
