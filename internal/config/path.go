package config

import (
	"encoding/hex"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// checkCanonical refuses a path that no request may have: dot segments, empty
// segments, encoded separators, control characters, bytes that are not UTF-8. A rule
// with such a path would never match.
func checkCanonical(p string) error {
	decoded, err := decode(p)
	if err != nil {
		return err
	}
	if !utf8.ValidString(decoded) {
		return fmt.Errorf("%q is not UTF-8 once decoded, and such paths are refused: write another", p)
	}
	if strings.ContainsFunc(decoded, unicode.IsControl) {
		return fmt.Errorf("%q has a control character once decoded, and such paths are refused: write another", p)
	}
	// No escape stands for a slash, so the segments are the same in both forms.
	// Before the first slash is nothing; after the last may be nothing.
	segments := strings.Split(decoded, "/")[1:]
	for i, s := range segments {
		name, _, _ := strings.Cut(s, ";")
		if name == "." || name == ".." {
			return fmt.Errorf("%q has a dot segment: write the path that it leads to", p)
		}
		if s == "" && i < len(segments)-1 {
			return fmt.Errorf("%q has // in it: write one slash", p)
		}
	}
	return nil
}

// decode resolves the escapes of a path, once.
func decode(p string) (string, error) {
	var out strings.Builder
	for i := 0; i < len(p); i++ {
		switch c := p[i]; {
		case c == '%':
			b, err := unescape(p[i:])
			if err != nil {
				return "", err
			}
			out.WriteByte(b)
			i += 2
		case c == '?' || c == '#':
			return "", fmt.Errorf("%q has a %c in it: rules see paths alone, write it without the rest", p, c)
		case c == '\\':
			return "", fmt.Errorf("%q has a backslash, and such paths are refused: write another", p)
		case c <= ' ' || c >= 0x7f:
			return "", fmt.Errorf("%q has a byte that callers must escape: write %%%02X for it", p, c)
		default:
			out.WriteByte(c)
		}
	}
	return out.String(), nil
}

// unescape resolves the escape that s begins with.
func unescape(s string) (byte, error) {
	escape := s[:min(3, len(s))]
	raw, err := hex.DecodeString(escape[1:])
	if err != nil || len(raw) != 1 {
		return 0, fmt.Errorf("%q is no escape: write %%25 for a percent sign", escape)
	}
	switch b := raw[0]; {
	case b == '/' || b == '.' || b == '\\' || b < 0x20 || b == 0x7f:
		return 0, fmt.Errorf("paths with %s are refused: write another", escape)
	default:
		return b, nil
	}
}
