package secrets

import (
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"
)

func TestSet(t *testing.T) {
	signature := make([]byte, 64)
	for i := range signature {
		signature[i] = byte(i*37 + 101)
	}
	encoded := base64.RawURLEncoding.EncodeToString(signature)
	token := "eyJhbGciOiJFUzI1NiJ9." + base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"somebody","aud":["x"]}`)) + "." + encoded
	here := Set{}
	here.Add("other")
	here.Add(token)
	data, err := here.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	s := Set{}
	if err := s.UnmarshalBinary(data); err != nil || len(s) != len(here) {
		t.Fatalf("%d of %d windows handed on, %v", len(s), len(here), err)
	}
	for text, want := range map[string][2]int{
		"":    {},
		token: {len(token) - window + 1, 1},
		"a\nb: " + encoded[5:5+window] + "\n" + encoded:                      {1 + len(encoded) - window + 1, 2},
		encoded[5 : 5+window-1]:                                              {},
		encoded[5:11] + "\n" + encoded[11:22]:                                {},
		"sig=" + hex.EncodeToString(signature):                               {128 - window + 1, 1},
		strings.ToUpper(hex.EncodeToString(signature))[:window]:              {1, 1},
		base64.RawURLEncoding.EncodeToString([]byte(token))[20 : 20+window]:  {1, 1},
		base64.RawStdEncoding.EncodeToString(signature):                      {len(encoded) - window + 1, 1},
		"a log line of quite-some-length-without-any-token, somebody or not": {},
	} {
		if n, line := s.In([]byte(text)); n != want[0] || line != want[1] {
			t.Errorf("%q: %d windows, line %d; want %d, %d", text, n, line, want[0], want[1])
		}
	}
}
