package authn

import (
	"errors"
	"net/http"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

func TestBearerToken(t *testing.T) {
	for _, tc := range []struct {
		name   string
		header []string
		token  string
		err    error
	}{
		{"good", []string{"Bearer abc.def-_~+/1"}, "abc.def-_~+/1", nil},
		{"any case", []string{"bEaReR abc"}, "abc", nil},
		{"several spaces, which 1*SP allows", []string{"Bearer   abc"}, "abc", nil},
		{"padding at the end", []string{"Bearer abc=="}, "abc==", nil},
		{"as long as allowed", []string{"Bearer " + strings.Repeat("a", MaxToken)}, strings.Repeat("a", MaxToken), nil},
		{"none", nil, "", ErrNoToken},
		{"empty value", []string{""}, "", ErrNoToken},
		{"other scheme", []string{"Basic abc"}, "", ErrNoToken},
		{"other scheme that begins alike", []string{"BearerX abc"}, "", ErrNoToken},
		{"tab in place of the space", []string{"Bearer\tabc"}, "", ErrNoToken},
		{"repeated", []string{"Bearer abc", "Bearer abc"}, "", ErrBadRequest},
		{"repeated, other scheme first", []string{"Basic x", "Bearer abc"}, "", ErrBadRequest},
		{"scheme alone", []string{"Bearer"}, "", ErrBadRequest},
		{"scheme and spaces", []string{"Bearer   "}, "", ErrBadRequest},
		{"two tokens", []string{"Bearer abc def"}, "", ErrBadRequest},
		{"trailing space", []string{"Bearer abc "}, "", ErrBadRequest},
		{"comma", []string{"Bearer abc,Bearer def"}, "", ErrBadRequest},
		{"quotes", []string{`Bearer "abc"`}, "", ErrBadRequest},
		{"padding inside", []string{"Bearer a=c"}, "", ErrBadRequest},
		{"padding alone", []string{"Bearer =="}, "", ErrBadRequest},
		{"control byte", []string{"Bearer a\x00c"}, "", ErrBadRequest},
		{"not ASCII", []string{"Bearer ä"}, "", ErrBadRequest},
		{"too long", []string{"Bearer " + strings.Repeat("a", MaxToken+1)}, "", ErrUnauthenticated},
	} {
		t.Run(tc.name, func(t *testing.T) {
			token, err := BearerToken(http.Header{"Authorization": tc.header})
			if token != tc.token || !errors.Is(err, tc.err) {
				t.Errorf("= %.20q, %v; want %.20q, %v", token, err, tc.token, tc.err)
			}
			if err != nil && ReasonOf(err) == Internal {
				t.Error("the error carries no reason")
			}
		})
	}
}

// A byte that must not be there is found wherever it is.
func TestBadByteAnywhere(t *testing.T) {
	for length := 1; length < 36; length++ {
		for at := range length {
			for _, bad := range []byte{0, '"', ',', '=', '@', '[', '\\', '`', '{', 0x7f, 0x80, 0xff} {
				if bad == '=' && at == length-1 && length > 1 {
					continue // padding
				}
				token := []byte(strings.Repeat("a", length))
				token[at] = bad
				if _, err := BearerToken(http.Header{"Authorization": {"Bearer " + string(token)}}); !errors.Is(err, ErrBadRequest) {
					t.Errorf("%q: %v", token, err)
				}
			}
		}
	}
}

// credentials is RFC 6750 section 2.1, with the scheme in any case (RFC 9110
// section 11.1).
var credentials = regexp.MustCompile(`^([Bb][Ee][Aa][Rr][Ee][Rr]) +([A-Za-z0-9._~+/-]+=*)$`)

// A token is what the grammar says, of one header and no more; all else is an
// error of the right kind, whose text has nothing of the header.
func FuzzBearerToken(f *testing.F) {
	for _, s := range []string{"Bearer abc", "bearer  a==", "Bearer", "Basic x", "Bearer a b", ""} {
		f.Add(s, "Bearer abc", false)
		f.Add(s, s, true)
	}
	for c := range 256 {
		f.Add("Bearer a"+string([]byte{byte(c)}), "", false)
		f.Add("Bearer "+string([]byte{byte(c)})+"a", "", false)
	}
	f.Fuzz(func(t *testing.T, first, second string, both bool) {
		values := []string{first}
		if both {
			values = append(values, second)
		}
		token, err := BearerToken(http.Header{"Authorization": values})
		m := credentials.FindStringSubmatch(first)
		scheme, _, _ := strings.Cut(first, " ")
		var want error
		switch {
		case both:
			want = ErrBadRequest
		case m != nil && len(m[2]) > MaxToken:
			want = ErrUnauthenticated
		case m != nil:
			if token != m[2] || err != nil {
				t.Errorf("%q: %q, %v", first, token, err)
			}
			return
		case strings.ToLower(scheme) != "bearer":
			want = ErrNoToken
		default:
			want = ErrBadRequest
		}
		tooLong := want == ErrBadRequest && !both && len(first) > MaxToken && errors.Is(err, ErrUnauthenticated)
		if token != "" || !errors.Is(err, want) && !tooLong {
			t.Fatalf("%q: %q, %v, want %v", values, token, err, want)
		}
		if len(first) > 64 && strings.Contains(err.Error(), first[len(first)-32:]) {
			t.Errorf("%q is in the error: %v", first, err)
		}
	})
}

// What is too long is not looked at: a megabyte costs the error and no more,
// whatever it is made of.
func TestBearerTokenCost(t *testing.T) {
	const mb = 1 << 20
	for name, header := range map[string]string{
		"dots":                       "Bearer " + strings.Repeat(".", mb),
		"letters":                    "Bearer " + strings.Repeat("a", mb),
		"padding":                    "Bearer " + strings.Repeat("=", mb),
		"spaces":                     "Bearer" + strings.Repeat(" ", mb),
		"words":                      "Bearer" + strings.Repeat(" a", mb/2),
		"a scheme":                   strings.Repeat("B", mb) + " a",
		"as long as allowed":         "Bearer " + strings.Repeat(".", MaxToken),
		"as long as allowed, no b64": "Bearer " + strings.Repeat(".", MaxToken-1) + ",",
	} {
		h := http.Header{"Authorization": {header}}
		if n, bytes := cost(func() { BearerToken(h) }); n > 4 || bytes > 512 {
			t.Errorf("%s: %d allocations, %d bytes; want at most the error", name, n, bytes)
		}
	}
}

// cost returns how much f allocates.
func cost(f func()) (allocations, bytes uint64) {
	const runs = 100
	var before, after runtime.MemStats
	f() // whatever happens once
	runtime.ReadMemStats(&before)
	for range runs {
		f()
	}
	runtime.ReadMemStats(&after)
	return (after.Mallocs - before.Mallocs) / runs, (after.TotalAlloc - before.TotalAlloc) / runs
}
