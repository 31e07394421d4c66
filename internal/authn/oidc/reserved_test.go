package oidc

import (
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"sallyport/internal/authn/jwt"
)

// A list in one header line and many lines are the same in HTTP (RFC 9110 section
// 5.3), so a group that holds a comma must not hold a reserved name.
func TestReservedNamesInMappings(t *testing.T) {
	for _, tt := range []struct {
		prefix, group string
		ok            bool
	}{
		{"", "dev", true},
		{"", "CN=dev,OU=a", true},
		{"idp:", "system:masters", true},
		{"", "system:masters", false},
		{"sys", "tem:masters", false},
		{"idp:", "dev,system:masters", false},
		{"idp:", "dev, \t system:masters", false},
		{"idp:", "dev,idp:system:masters", true},
		{"", "the system: it works", true},
	} {
		m := &Mappings{Username: Mapping{Claim: "sub"}, Groups: Mapping{Claim: "groups", Prefix: tt.prefix}}
		_, err := m.Identity(&jwt.Claims{All: map[string]jsontext.Value{
			"sub": jsontext.Value(`"ann"`), "groups": quoted(jsontext.AppendQuote([]byte("["), tt.group)),
		}})
		if (err == nil) != tt.ok {
			t.Errorf("%q %q: %v", tt.prefix, tt.group, err)
		}
	}
}

func quoted(b []byte, err error) jsontext.Value {
	if err != nil {
		panic(err)
	}
	return append(b, ']')
}
