package authn

import (
	"errors"
	"net/http"
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

func FuzzBearerToken(f *testing.F) {
	for _, s := range []string{"Bearer abc", "bearer  a==", "Bearer", "Basic x", "Bearer a b", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		token, err := BearerToken(http.Header{"Authorization": {value}})
		if (token == "") == (err == nil) {
			t.Fatalf("%q: token %q and error %v do not exclude each other", value, token, err)
		}
		if token == "" {
			return
		}
		if !strings.HasSuffix(value, token) || strings.ContainsAny(token, " \t\r\n,\"\x00") || len(token) > MaxToken {
			t.Errorf("%q: token %q", value, token)
		}
	})
}
