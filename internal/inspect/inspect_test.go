package inspect

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"
)

var now = time.Unix(1500, 0)

const (
	header    = `{"alg":"RS256","kid":"k1"}`
	claims    = `{"iss":"https://issuer","sub":"s","aud":["a"],"exp":2000,"iat":1000}`
	signature = "c2lnbmF0dXJlLXRoYXQtbm9ib2R5LXNlZXM"
)

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

// signed is a token whose signature has the length of one made with RS256.
func signed(header, claims string) string {
	return b64(header) + "." + b64(claims) + "." + b64(strings.Repeat(signature, 8)[:256])
}

func tell(t *testing.T, r *Report) string {
	t.Helper()
	var b bytes.Buffer
	if err := r.Text(&b); err != nil {
		t.Fatal(err)
	}
	if err := r.JSON(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// Whatever is wrong with a token, what can be read of it is told, and what is
// wrong.
func TestBroken(t *testing.T) {
	good := signed(header, claims)
	part := strings.Split(good, ".")
	for name, c := range map[string]struct {
		text    string
		kind    Kind
		refused string // a part; "" where nothing is wrong
		finding string // one of them
		who     string
	}{
		"good":             {good, Foreign, "", "", "s"},
		"a line's end":     {good + "\n", Foreign, "", "", "s"},
		"Bearer":           {"Bearer " + good, Foreign, "", "wrapped", "s"},
		"a whole header":   {"authorization: bearer " + good, Foreign, "", "wrapped", "s"},
		"quotes":           {`"` + good + `"`, Foreign, "", "wrapped", "s"},
		"of a Secret":      {base64.StdEncoding.EncodeToString([]byte(good)), Foreign, "", "encoded", "s"},
		"opaque":           {"0123456789abcdef", Unreadable, "not three parts", "not_a_jwt", ""},
		"empty":            {"", Unreadable, "not three parts", "not_a_jwt", ""},
		"encrypted":        {"e.e.e.e.e", Unreadable, "not three parts", "not_a_jwt", ""},
		"three words":      {"a.b.c", Unreadable, "the header: illegal base64", "not_a_jwt", ""},
		"no signature":     {part[0] + "." + part[1], Foreign, "not three parts", "parts", "s"},
		"cut signature":    {good[:len(good)-10], Foreign, "", "cut", "s"},
		"cut claims":       {part[0] + "." + part[1][:20], Unreadable, "not three parts", "parts", ""},
		"four parts":       {good + ".AAAA", Foreign, "not three parts", "parts", "s"},
		"padding":          {part[0] + "." + part[1] + "==." + part[2], Foreign, "the claims: illegal base64", "", "s"},
		"broken lines":     {part[0] + ".\n" + part[1] + ".\n" + part[2], Foreign, "the claims has a line break", "", "s"},
		"header is broken": {signed(`{`, claims), Foreign, "the header is not valid JSON", "header", "s"},
		"claims twice":     {signed(header, `{"sub":"a","sub":"b","exp":2000}`), Foreign, "the claims has a name twice", "", "b"},
		"exp is a string":  {signed(header, `{"sub":"a","exp":"2000"}`), Foreign, `"exp" is not an integer`, "no_expiry", "a"},
		"exp is a float":   {signed(header, `{"sub":"a","exp":2000.5}`), Foreign, `"exp" is not an integer`, "", "a"},
		"no exp":           {signed(header, `{"sub":"a"}`), Foreign, "exp is absent", "no_expiry", "a"},
		"no sub":           {signed(header, `{"exp":2000}`), Foreign, "sub is absent", "", ""},
		"exp is far":       {signed(header, `{"sub":"a","exp":9007199254740991,"iat":1000}`), Foreign, "", "long", "a"},
		"exp is farther":   {signed(header, `{"sub":"a","exp":1e300}`), Foreign, `"exp" is not an integer`, "no_expiry", "a"},
		"none":             {signed(`{"alg":"none"}`, claims), Foreign, "the header's alg is none of", "algorithm", "s"},
		"HMAC":             {signed(`{"alg":"HS256","kid":"k"}`, claims), Foreign, "the header's alg is none of", "algorithm", "s"},
		"EdDSA":            {signed(`{"alg":"EdDSA","kid":"k"}`, claims), Foreign, "the header's alg is none of", "algorithm", "s"},
		"alg is no string": {signed(`{"alg":[1],"kid":"k"}`, claims), Foreign, "the header's alg is none of", "algorithm", "s"},
		"ES256":            {signed(`{"alg":"ES256","kid":"k"}`, claims), Foreign, "", "cut", "s"},
		"no kid":           {signed(`{"alg":"RS256"}`, claims), Foreign, "", "no_key_id", "s"},
		"jku":              {signed(`{"alg":"RS256","kid":"k","jku":"https://x"}`, claims), Foreign, `the header has "jku"`, "header_jku", "s"},
		"expired":          {signed(header, `{"sub":"a","exp":1499}`), Foreign, "", "expired", "a"},
		"future":           {signed(header, `{"sub":"a","exp":3000,"nbf":1600}`), Foreign, "", "not_yet_valid", "a"},
		"kubernetes.io":    {signed(header, `{"sub":"a","exp":3000,"kubernetes.io":7}`), Foreign, `"kubernetes.io" is not what Kubernetes writes`, "", "a"},
		"loosely a pod's":  {signed(header, `{"sub":"a","aud":"x","exp":"1","kubernetes.io":{"namespace":"n","pod":{"name":"p"}}}`), Pod, `"exp" is not an integer`, "subject", "a"},
	} {
		t.Run(name, func(t *testing.T) {
			r := Token(c.text, now)
			out := tell(t, r)
			if r.Kind != c.kind || (c.refused == "") != (r.Refused == "") || !strings.Contains(r.Refused, c.refused) || r.Subject != c.who {
				t.Errorf("kind %s, refused %q, who %q", r.Kind, r.Refused, r.Subject)
			}
			if c.finding != "" && !slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Name == c.finding }) {
				t.Errorf("findings %+v lack %s", r.Findings, c.finding)
			}
			if name == "good" && len(r.Findings) > 0 {
				t.Errorf("findings %+v", r.Findings)
			}
			if !strings.Contains(out, "not checked") {
				t.Errorf("it does not say that the signature was not checked:\n%s", out)
			}
			if c.kind != Unreadable && strings.Count(c.text, ".") > 1 {
				noSignature(t, good, out)
			}
		})
	}
}

// A token within a token stays hidden, and what somebody else wrote does not
// reach the terminal as it is.
func TestHidden(t *testing.T) {
	inner := signed(header, claims)
	quoted, _ := json.Marshal(inner)
	out := tell(t, Token(signed(`{"alg":"RS256","kid":"k","x":[`+string(quoted)+`]}`,
		`{"iss":`+string(quoted)+`,"sub":"a\u001b[31mred","aud":[`+string(quoted)+`],"exp":2000,"act":{"t":`+string(quoted)+`}}`), now))
	noSignature(t, inner, out)
	if strings.Contains(out, "\x1b") || !strings.Contains(out, "[...]") {
		t.Errorf("%q", out)
	}
	noSignature(t, inner, tell(t, Token(signed(`{`, `{"exp":"x","sub":`+string(quoted)+`,"kubernetes.io":{"namespace":`+string(quoted)+`}}`), now)))
}

func FuzzToken(f *testing.F) {
	f.Add(signed(header, claims))
	f.Add("Bearer " + signed(`{"alg":"none","crit":[]}`, `{"exp":"1","kubernetes.io":{"pod":7}}`))
	f.Add(base64.StdEncoding.EncodeToString([]byte(signed(header, claims))))
	f.Add("a.b.c.d.e")
	f.Fuzz(func(t *testing.T, text string) {
		out := tell(t, Token(text, now))
		if strings.ContainsAny(out, "\x1b\r\x00") {
			t.Errorf("control characters: %q", out)
		}
	})
}
