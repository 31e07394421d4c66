package jwt

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"sallyport/internal/authn"
)

// An object is a JSON object whose names are unique at every depth and whose
// text is valid UTF-8.
type object map[string]jsontext.Value

// maxNames is how many names an object may have, with those in its values. Kubernetes
// writes 20 of them, and others two for each client that somebody has a role at. The
// thousands that fit into a token would take ten times as long as its signature.
const maxNames = 512

// parseObject reads one JSON object and nothing behind it. A name that equals
// one of registered but for its case is refused: verifiers that fold case would
// take it for the real one.
func parseObject(part string, b []byte, registered []string) (object, error) {
	n := names(b)
	if n > maxNames {
		return nil, authn.Refuse(authn.TooLarge, "the %s has more than %d names", part, maxNames)
	}
	// It reads in place, and keeps no list of the object's names beside ours.
	d := jsontext.NewDecoder(bytes.NewBuffer(b), jsontext.AllowDuplicateNames(true))
	if d.PeekKind() != '{' {
		return nil, authn.Refuse(authn.Malformed, "the %s is not a JSON object", part)
	}
	o := make(object, n)
	if err := o.read(d, b); err != nil {
		// The decoder's text quotes the input; only the place is told.
		if errors.Is(err, jsontext.ErrDuplicateName) {
			return nil, authn.Refuse(authn.Malformed, "the %s has a name twice, near byte %d", part, d.InputOffset())
		}
		return nil, authn.Refuse(authn.Malformed, "the %s is not valid JSON near byte %d", part, d.InputOffset())
	}
	for name := range o {
		for _, r := range registered {
			if name != r && strings.EqualFold(name, r) {
				return nil, authn.Refuse(authn.Malformed, "the %s has a misspelt %q", part, r)
			}
		}
	}
	return o, nil
}

// names counts the names of b, where b is JSON: it is the number of its colons that are
// in no string.
func names(b []byte) (n int) {
	quoted := false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case c == '\\' && quoted:
			i++ // a quote behind it ends nothing
		case c == '"':
			quoted = !quoted
		case c == ':' && !quoted:
			n++
		}
	}
	return n
}

// read reads b's object by d. The values are parts of b, as d's own are good until its
// next call.
func (o object) read(d *jsontext.Decoder, b []byte) error {
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	for d.PeekKind() != '}' {
		name, err := d.ReadToken()
		if err != nil {
			return err
		}
		key := name.String()
		if _, ok := o[key]; ok {
			return jsontext.ErrDuplicateName
		}
		v, err := d.ReadValue()
		if err != nil {
			return err
		}
		if err := unique(v); err != nil {
			return err
		}
		end := d.InputOffset()
		o[key] = b[end-int64(len(v)) : end : end]
	}
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	if _, err := d.ReadToken(); err != io.EOF {
		return io.ErrUnexpectedEOF
	}
	return nil
}

// unique refuses a value in which an object has a name twice.
func unique(v jsontext.Value) error {
	if bytes.IndexByte(v, '{') < 0 {
		return nil
	}
	_, err := jsontext.NewDecoder(bytes.NewBuffer(v)).ReadValue()
	return err
}

// str returns the string of that name, and "" where there is none.
func (o object) str(name string) (string, error) {
	v, ok := o[name]
	if !ok {
		return "", nil
	}
	var s string
	if v.Kind() != '"' || json.Unmarshal(v, &s) != nil {
		return "", authn.Refuse(authn.Claims, "%q is not a string", name)
	}
	return s, nil
}

// strs returns the string or array of strings of that name.
func (o object) strs(name string) ([]string, error) {
	v, ok := o[name]
	if !ok {
		return nil, nil
	}
	if v.Kind() == '"' {
		s, err := o.str(name)
		return []string{s}, err
	}
	// Unmarshal takes null for an empty string, so null elements are looked for.
	var list []*string
	if v.Kind() != '[' || json.Unmarshal(v, &list) != nil {
		return nil, authn.Refuse(authn.Claims, "%q is not an array of strings", name)
	}
	out := make([]string, 0, len(list))
	for _, s := range list {
		if s == nil {
			return nil, authn.Refuse(authn.Claims, "%q is not an array of strings", name)
		}
		out = append(out, *s)
	}
	return out, nil
}

// maxTime is the last integer below which JSON numbers are exact everywhere.
const maxTime = 1 << 53

// time returns the NumericDate (RFC 7519 section 2) of that name, and the zero
// time where there is none. Only integers from 0 to 2^53 are taken: what a
// fraction or an exponent means differs between readers.
func (o object) time(name string) (time.Time, error) {
	v, ok := o[name]
	if !ok {
		return time.Time{}, nil
	}
	var n int64
	if !isDigits(v) || json.Unmarshal(v, &n) != nil || n > maxTime {
		return time.Time{}, authn.Refuse(authn.Claims, "%q is not an integer from 0 to 2^53", name)
	}
	return time.Unix(n, 0), nil
}

func isDigits(v []byte) bool {
	for _, c := range v {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(v) > 0
}
