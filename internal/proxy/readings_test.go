package proxy

import (
	"slices"
	"strings"
	"unicode"
)

// A step is one thing that an app may do to a path before it looks at it. These
// are written apart from the code under test, on purpose: each from its own
// source, and none knows what a canonical path is.
type step func(path string) string

// apps are the choices that an app makes, in order: one of each line, or none. A
// chain of choices is a reading.
var apps = [][]step{
	{beforeHash},
	{decode, params, firstParam, chain(decode, params), chain(params, decode), chain(decode, firstParam), chain(firstParam, decode)},
	{beforeNUL},
	{slashes},
	{mergeSlashes},
	{removeDots},
	{foldCase},
	{trimSlash},
}

// eachReading calls visit with every set of readings of paths, all read the same
// way, until it returns false.
func eachReading(paths []string, apps [][]step, visit func([]string) bool) bool {
	if len(apps) == 0 {
		return visit(paths)
	}
	tried := [][]string{paths}
	for _, s := range apps[0] {
		read := make([]string, len(paths))
		for i, p := range paths {
			read[i] = s(p)
		}
		if !slices.ContainsFunc(tried, func(t []string) bool { return slices.Equal(t, read) }) {
			tried = append(tried, read)
		}
	}
	for _, t := range tried {
		if !eachReading(t, apps[1:], visit) {
			return false
		}
	}
	return true
}

func chain(first, second step) step { return func(p string) string { return second(first(p)) } }

// decode is RFC 3986 section 2.1, once; what encodes nothing stays.
func decode(p string) string {
	const digits = "0123456789abcdef"
	var b strings.Builder
	for i := 0; i < len(p); i++ {
		if p[i] == '%' && i+2 < len(p) {
			high, low := strings.IndexByte(digits, p[i+1]|0x20), strings.IndexByte(digits, p[i+2]|0x20)
			if high >= 0 && low >= 0 && p[i+1] >= '0' && p[i+2] >= '0' {
				b.WriteByte(byte(high*16 + low))
				i += 2
				continue
			}
		}
		b.WriteByte(p[i])
	}
	return b.String()
}

// params takes parameters away from each segment, as Java's servlets do.
func params(p string) string {
	segments := strings.Split(p, "/")
	for i, s := range segments {
		segments[i], _, _ = strings.Cut(s, ";")
	}
	return strings.Join(segments, "/")
}

// firstParam is RFC 1808 section 2.4.5: what follows the first semicolon, to
// the very end, are parameters.
func firstParam(p string) string {
	p, _, _ = strings.Cut(p, ";")
	return p
}

// beforeHash takes a fragment away that no client should have sent.
func beforeHash(p string) string {
	p, _, _ = strings.Cut(p, "#")
	return p
}

// beforeNUL is what C makes of a string.
func beforeNUL(p string) string {
	p, _, _ = strings.Cut(p, "\x00")
	return p
}

// slashes is what Windows and browsers make of a backslash.
func slashes(p string) string { return strings.ReplaceAll(p, `\`, "/") }

// mergeSlashes is nginx' merge_slashes.
func mergeSlashes(p string) string {
	for strings.Contains(p, "//") {
		p = strings.ReplaceAll(p, "//", "/")
	}
	return p
}

// removeDots is RFC 3986 section 5.2.4, step by step.
func removeDots(in string) string {
	var out string
	for in != "" {
		switch {
		case strings.HasPrefix(in, "../"):
			in = in[3:]
		case strings.HasPrefix(in, "./"):
			in = in[2:]
		case strings.HasPrefix(in, "/./"):
			in = in[2:]
		case in == "/.":
			in = "/"
		case strings.HasPrefix(in, "/../") || in == "/..":
			in = "/" + strings.TrimPrefix(in[3:], "/")
			out = out[:max(0, strings.LastIndexByte(out, '/'))]
		case in == "." || in == "..":
			in = ""
		default:
			end := 1
			if i := strings.IndexByte(in[1:], '/'); i >= 0 {
				end += i
			} else {
				end = len(in)
			}
			out, in = out+in[:end], in[end:]
		}
	}
	return out
}

// foldCase takes the least of all letters that Unicode folds into one.
func foldCase(p string) string {
	return strings.Map(func(r rune) rune {
		least := r
		for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
			least = min(least, next)
		}
		return least
	}, p)
}

// trimSlash is what frameworks do that take /a/ for /a.
func trimSlash(p string) string {
	if p == "/" {
		return p
	}
	return strings.TrimSuffix(p, "/")
}

// liesIn reports whether a path lies at, or below where prefix is true, the path
// of a route, both read the same way.
func liesIn(path, route string, prefix bool) bool {
	return path == route || prefix && (trimSlash(path) == trimSlash(route) || strings.HasPrefix(path, strings.TrimSuffix(route, "/")+"/"))
}
