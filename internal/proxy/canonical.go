package proxy

import (
	"net/url"
	"strings"
	"unicode/utf8"
)

// oddity says why a path, as it came, is not canonical, or returns "". Two
// programs read a canonical path alike, whatever they decode, clean or cut off:
// so that an app cannot see another path than the rules did. Nothing is decoded
// twice: %25 is an ordinary byte.
func oddity(path string) string {
	if !strings.HasPrefix(path, "/") {
		return "no slash at the beginning"
	}
	for i := range len(path) {
		switch c := path[i]; {
		case c <= ' ' || c == 0x7f:
			return "a control byte or a space"
		case c == '\\':
			return "a backslash"
		case c == '#':
			return "a fragment" // some apps cut there
		}
	}
	decoded := path
	if strings.IndexByte(path, '%') >= 0 {
		if what := encodedOddity(path); what != "" {
			return what
		}
		var err error
		if decoded, err = url.PathUnescape(path); err != nil {
			return "a percent sign that encodes nothing"
		}
	}
	if !utf8.ValidString(decoded) {
		return "bytes that are not UTF-8"
	}
	if hasC1(decoded) {
		return "a control character"
	}
	return segmentOddity(decoded)
}

// encodedOddity looks at what a path encodes.
func encodedOddity(path string) string {
	for rest := path; ; {
		i := strings.IndexByte(rest, '%')
		if i < 0 || i+2 >= len(rest) {
			return "" // a lone percent sign at the end is for PathUnescape
		}
		high, low := unhex(rest[i+1]), unhex(rest[i+2])
		rest = rest[i+1:]
		if high > 15 || low > 15 {
			continue
		}
		switch c := high<<4 | low; {
		case c == '/' || c == '.' || c == '\\':
			return "an encoded slash, dot or backslash"
		case c < ' ' || c == 0x7f:
			return "an encoded control byte"
		}
	}
}

// hasC1 reports whether s, which is UTF-8, has a control character of those from
// U+0080 to U+009F. U+0085 ends a line for some readers, U+009B steers a terminal.
func hasC1(s string) bool {
	for {
		_, after, found := strings.Cut(s, "\xc2")
		if !found {
			return false
		}
		if after[0] < 0xa0 {
			return true
		}
		s = after
	}
}

// segmentOddity looks for segments that an app may take out of a path. Java
// servers cut a segment at its semicolon first, so "..;x" counts as "..", and
// ";x" as empty.
func segmentOddity(path string) string {
	for rest := path[1:]; ; {
		segment, after, more := strings.Cut(rest, "/")
		name, _, params := strings.Cut(segment, ";")
		switch {
		case name == "." || name == "..":
			return "a dot segment"
		case name == "" && (more || params):
			return "an empty segment"
		case !more:
			return ""
		}
		rest = after
	}
}

// unhex returns the value of a hexadecimal digit, or 255.
func unhex(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	}
	return 255
}
