// Package traceparent reads and writes the header of that name, in which a request
// says which trace it belongs to (W3C Trace Context, section 3.2).
package traceparent

import (
	"net/http"
	"strings"
)

// Name is the header's, in canonical form.
const Name = "Traceparent"

// A Parent is what the header says.
type Parent struct {
	// Trace has 32 digits, Span 16, in lower case; neither is all zeros.
	Trace, Span string
	// Sampled says that whoever sent it records this trace.
	Sampled bool
}

// Of returns what a request's header says. It is not ok where the header is absent,
// repeated or malformed: then the request belongs to no trace.
func Of(h http.Header) (p Parent, ok bool) {
	lines := h[Name]
	if len(lines) != 1 {
		return Parent{}, false
	}
	version, rest, ok1 := strings.Cut(lines[0], "-")
	trace, rest, ok2 := strings.Cut(rest, "-")
	span, flags, ok3 := strings.Cut(rest, "-")
	switch {
	case !ok1 || !ok2 || !ok3, !isHex(version, 2), version == "ff", !isID(trace, 32), !isID(span, 16):
		return Parent{}, false
	case version != "00":
		// A later version may have more to say after the flags (section 4.3).
		flags, _, _ = strings.Cut(flags, "-")
	}
	if !isHex(flags, 2) {
		return Parent{}, false
	}
	return Parent{trace, span, strings.IndexByte("13579bdf", flags[1]) >= 0}, true
}

// String is the header's value, in version 00.
func (p Parent) String() string {
	flags := "-00"
	if p.Sampled {
		flags = "-01"
	}
	return "00-" + p.Trace + "-" + p.Span + flags
}

func isID(s string, n int) bool { return isHex(s, n) && strings.Trim(s, "0") != "" }

// isHex reports whether s is n digits, in lower case as the specification has it.
func isHex(s string, n int) bool {
	return len(s) == n && strings.Trim(s, "0123456789abcdef") == ""
}
