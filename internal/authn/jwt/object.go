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

// parseObject reads one JSON object and nothing behind it. A name that equals
// one of registered but for its case is refused: verifiers that fold case would
// take it for the real one.
func parseObject(part string, b []byte, registered []string) (object, error) {
	d := jsontext.NewDecoder(bytes.NewReader(b))
	if d.PeekKind() != '{' {
		return nil, authn.Refuse(authn.Malformed, "the %s is not a JSON object", part)
	}
	o := object{}
	if err := o.read(d); err != nil {
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

func (o object) read(d *jsontext.Decoder) error {
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	for d.PeekKind() != '}' {
		name, err := d.ReadToken()
		if err != nil {
			return err
		}
		key := name.String()
		v, err := d.ReadValue()
		if err != nil {
			return err
		}
		o[key] = v.Clone()
	}
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	if _, err := d.ReadToken(); err != io.EOF {
		return io.ErrUnexpectedEOF
	}
	return nil
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
