package proxy

import (
	"net/http"
	"strings"
)

// traceOf returns the trace id that a caller sends, or "" where it sends none
// (W3C Trace Context, section 3.2: version-traceid-parentid-flags).
func traceOf(h http.Header) string {
	v := h["Traceparent"]
	if len(v) != 1 {
		return ""
	}
	version, rest, _ := strings.Cut(v[0], "-")
	trace, rest, ok := strings.Cut(rest, "-")
	parent, _, ok2 := strings.Cut(rest, "-")
	if !ok || !ok2 || !isHex(version, 2) || version == "ff" || !isHex(trace, 32) || !isHex(parent, 16) || strings.Trim(trace, "0") == "" {
		return ""
	}
	return trace
}

// isHex reports whether s is n digits, in lower case as the specification has it.
func isHex(s string, n int) bool {
	return len(s) == n && strings.Trim(s, "0123456789abcdef") == ""
}
