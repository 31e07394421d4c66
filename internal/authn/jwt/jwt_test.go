package jwt

import (
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"sallyport/internal/authn"
)

const (
	goodHeader = `{"alg":"RS256","kid":"k1"}`
	goodClaims = `{"iss":"https://issuer","sub":"system:serviceaccount:ns:app","aud":["a"],"exp":2000,"iat":1000,"nbf":1000}`
)

func compact(header, claims string) string {
	enc := base64.RawURLEncoding.EncodeToString
	return enc([]byte(header)) + "." + enc([]byte(claims)) + "." + enc([]byte("signature"))
}

func TestDecode(t *testing.T) {
	tok, err := Decode(compact(goodHeader, `{"iss":"i","sub":"s","aud":"one","jti":"j","exp":9007199254740992,"nbf":0,"x":{"y":[1]}}`))
	if err != nil {
		t.Fatal(err)
	}
	c := tok.Claims
	if c.Issuer != "i" || c.Subject != "s" || c.ID != "j" || len(c.Audience) != 1 || c.Audience[0] != "one" ||
		c.Expires.Unix() != 1<<53 || c.NotBefore.Unix() != 0 || !c.IssuedAt.IsZero() || string(c.All["x"]) != `{"y":[1]}` {
		t.Errorf("claims = %+v", c)
	}
	if tok.Header != (Header{Algorithm: "RS256", KeyID: "k1"}) {
		t.Errorf("header = %+v", tok.Header)
	}
}

func TestDecodeShape(t *testing.T) {
	good := compact(goodHeader, goodClaims)
	h, c, _ := split3(good)
	for name, tc := range map[string]struct {
		token string
		want  authn.Reason
	}{
		"empty":                  {"", authn.Malformed},
		"one part":               {"abc", authn.Malformed},
		"two parts":              {h + "." + c, authn.Malformed},
		"four parts":             {good + ".AAAA", authn.Malformed},
		"five parts, a JWE":      {good + ".AAAA.AAAA", authn.Malformed},
		"trailing dot":           {good + ".", authn.Malformed},
		"no header":              {"." + c + ".AAAA", authn.Malformed},
		"no claims":              {h + "..AAAA", authn.Malformed},
		"no signature":           {h + "." + c + ".", authn.Malformed},
		"padding":                {h + "." + c + ".AA==", authn.Malformed},
		"trailing bits":          {h + "." + c + ".AB", authn.Malformed},
		"plus and slash":         {h + "." + c + ".+/+/", authn.Malformed},
		"line break in part":     {h + "." + c + ".AA\nAA", authn.Malformed},
		"carriage return":        {h + "." + c[:4] + "\r" + c[4:] + ".AAAA", authn.Malformed},
		"space before":           {" " + good, authn.Malformed},
		"space after":            {good + " ", authn.Malformed},
		"junk after a space":     {good + " junk", authn.Malformed},
		"NUL":                    {good + "\x00", authn.Malformed},
		"JSON serialization":     {`{"payload":"` + c + `","signatures":[]}`, authn.Malformed},
		"one byte too many":      {strings.Repeat("A", authn.MaxToken+1), authn.TooLarge},
		"dots only, within size": {strings.Repeat(".", authn.MaxToken), authn.Malformed},
	} {
		t.Run(name, func(t *testing.T) { wantReason(t, tc.token, tc.want) })
	}
}

func split3(s string) (a, b, c string) {
	p := strings.SplitN(s, ".", 3)
	return p[0], p[1], p[2]
}

func TestDecodeHeader(t *testing.T) {
	for header, want := range map[string]authn.Reason{
		`null`:                              authn.Malformed,
		`[]`:                                authn.Malformed,
		`"RS256"`:                           authn.Malformed,
		`{"alg":"RS256"} {}`:                authn.Malformed,
		`{"alg":"RS256"}x`:                  authn.Malformed,
		`{"alg":"RS256",}`:                  authn.Malformed,
		`{"alg":"RS256"`:                    authn.Malformed,
		`{"alg":"RS256","alg":"none"}`:      authn.Malformed,
		`{"alg":"RS256","x":"` + "\xff\"}":  authn.Malformed,
		`{"alg":"RS256","ALG":"none"}`:      authn.Malformed,
		`{"alg":"RS256","crit":["b64"]}`:    authn.Malformed,
		`{"alg":"RS256","b64":false}`:       authn.Malformed,
		`{"alg":"RS256","jku":"https://x"}`: authn.Malformed,
		`{"alg":"RS256","x5u":"https://x"}`: authn.Malformed,
		`{"alg":"RS256","jwk":{}}`:          authn.Malformed,
		`{"alg":"RS256","jwk":null}`:        authn.Malformed,
		`{"alg":"RS256","x":{"a":1,"a":2}}`: authn.Malformed,
		`{"alg":"RS256","kid":1}`:           authn.Claims,
		`{"alg":"RS256","kid":null}`:        authn.Claims,
		`{"alg":"RS256","typ":["JWT"]}`:     authn.Claims,
		`{"kid":"k"}`:                       authn.Algorithm,
		`{"alg":"none"}`:                    authn.Algorithm,
		`{"alg":"None"}`:                    authn.Algorithm,
		`{"alg":"HS256"}`:                   authn.Algorithm,
		`{"alg":"EdDSA"}`:                   authn.Algorithm,
		`{"alg":"rs256"}`:                   authn.Algorithm,
		`{"alg":["RS256"]}`:                 authn.Algorithm,
		`{"alg":"RS256","kid":"` + long(maxKeyID+1) + `"}`: authn.Malformed,
	} {
		t.Run(header, func(t *testing.T) { wantReason(t, compact(header, goodClaims), want) })
	}
	for header, typ := range map[string]string{
		`{"alg":"ES512","typ":"JWT"}`:                    "jwt",
		`{"alg":"PS256","typ":"application/at+JWT"}`:     "at+jwt",
		`{"alg":"RS256","kid":"` + long(maxKeyID) + `"}`: "",
	} {
		tok, err := Decode(compact(header, goodClaims))
		if err != nil || tok.Header.Type != typ {
			t.Errorf("%.60s: %v, want type %q", header, err, typ)
		}
	}
}

func long(n int) string { return strings.Repeat("k", n) }

func TestDecodeClaims(t *testing.T) {
	for claims, want := range map[string]authn.Reason{
		`null`:                                   authn.Malformed,
		`{"sub":"a","sub":"b"}`:                  authn.Malformed,
		`{"sub":"a","s\u0075b":"b"}`:             authn.Malformed,
		`{"x":[{"a":1,"a":1}]}`:                  authn.Malformed,
		`{"SUB":"a"}`:                            authn.Malformed,
		`{"ſub":"a"}`:                            authn.Malformed,
		`{"Kubernetes.io":{}}`:                   authn.Malformed,
		`{"Exp":1}`:                              authn.Malformed,
		`{"x":"\ud800"}`:                         authn.Malformed,
		"{\"x\":\"\xc3\x28\"}":                   authn.Malformed,
		"\xef\xbb\xbf{}":                         authn.Malformed,
		`{"exp":1.0}`:                            authn.Claims,
		`{"exp":1e3}`:                            authn.Claims,
		`{"exp":-1}`:                             authn.Claims,
		`{"exp":"1"}`:                            authn.Claims,
		`{"exp":null}`:                           authn.Claims,
		`{"exp":9007199254740993}`:               authn.Claims,
		`{"exp":99999999999999999999}`:           authn.Claims,
		`{"nbf":true}`:                           authn.Claims,
		`{"iat":{}}`:                             authn.Claims,
		`{"iss":1}`:                              authn.Claims,
		`{"sub":["a"]}`:                          authn.Claims,
		`{"sub":null}`:                           authn.Claims,
		`{"jti":7}`:                              authn.Claims,
		`{"aud":null}`:                           authn.Claims,
		`{"aud":1}`:                              authn.Claims,
		`{"aud":["a",1]}`:                        authn.Claims,
		`{"aud":["a",null]}`:                     authn.Claims,
		`{"aud":[["a"]]}`:                        authn.Claims,
		`{"aud":{"a":1}}`:                        authn.Claims,
		`{"kubernetes.io":null}`:                 authn.Claims,
		`{"kubernetes.io":[]}`:                   authn.Claims,
		`{"kubernetes.io":{"namespace":1}}`:      authn.Claims,
		`{"kubernetes.io":{"warnafter":"soon"}}`: authn.Claims,
	} {
		t.Run(claims, func(t *testing.T) { wantReason(t, compact(goodHeader, claims), want) })
	}
}

// A colon in a string is no name, and nothing else in one ends it.
func TestNames(t *testing.T) {
	for claims, want := range map[string]int{
		``:                                   0,
		`{}`:                                 0,
		`{"a":1,"b" : [":",{"c":{}}]}`:       3,
		`{"a:":"\":","b\\":"x:\\\":","c":1}`: 3,
		goodClaims:                           6,
	} {
		if got := names([]byte(claims)); got != want {
			t.Errorf("%s: %d names, want %d", claims, got, want)
		}
	}
}

func TestManyNames(t *testing.T) {
	flat := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `"%d":0,`, i)
		}
		return b.String()
	}
	deep := strings.Repeat(`{"a":`, maxNames) + "0" + strings.Repeat("}", maxNames)
	for name, tc := range map[string]struct {
		claims string
		good   bool
	}{
		"as many as allowed":          {"{" + flat(maxNames-1) + `"sub":"a"}`, true},
		"one too many":                {"{" + flat(maxNames) + `"sub":"a"}`, false},
		"in a value":                  {`{"x":{` + flat(maxNames-2) + `"y":0},"z":0}`, false},
		"one in the other":            {`{"x":` + deep + `}`, false},
		"colons in a string":          {`{"x":"` + strings.Repeat(":", maxNames) + `"}`, true},
		"an array of more than names": {`{"x":[` + strings.Repeat("0,", maxNames) + `0]}`, true},
	} {
		t.Run(name, func(t *testing.T) {
			token := compact(goodHeader, tc.claims)
			if !tc.good {
				wantReason(t, token, authn.TooLarge)
			} else if _, err := Decode(token); err != nil {
				t.Error(err)
			}
		})
	}
}

func wantReason(t *testing.T, token string, want authn.Reason) {
	t.Helper()
	_, err := Decode(token)
	if !errors.Is(err, authn.ErrUnauthenticated) || authn.ReasonOf(err) != want {
		t.Errorf("err = %v, want a refusal for %s", err, want)
	}
}

// Whoever sends a megabyte gets an error for it, and nothing is made of the parts.
func TestDots(t *testing.T) {
	for name, token := range map[string]string{
		"dots, as long as allowed":    strings.Repeat(".", authn.MaxToken),
		"a megabyte of dots":          strings.Repeat(".", 1<<20),
		"a megabyte of three parts":   strings.Repeat("A", 1<<19) + "." + strings.Repeat("A", 1<<18) + "." + strings.Repeat("A", 1<<18),
		"a JWE, as long as allowed":   strings.Repeat(strings.Repeat("A", authn.MaxToken/5-1)+".", 5),
		"no base64, as long as it is": strings.Repeat(strings.Repeat("!", authn.MaxToken/3-1)+".", 2) + "!",
	} {
		var before, after runtime.MemStats
		const runs = 100
		runtime.ReadMemStats(&before)
		for range runs {
			if _, err := Decode(token); err == nil {
				t.Fatalf("%s: no error", name)
			}
		}
		runtime.ReadMemStats(&after)
		if n := (after.Mallocs - before.Mallocs) / runs; n > 8 {
			t.Errorf("%s: %d allocations, want at most 8 (the error, and one part)", name, n)
		}
		if n := (after.TotalAlloc - before.TotalAlloc) / runs; n > 6<<10 {
			t.Errorf("%s: %d bytes, want at most the first part's", name, n)
		}
	}
}

// The three tokens of an article on service account tokens in Kubernetes 1.24:
// one of a pod, extended to a year, and two of Secrets.
func TestRealTokens(t *testing.T) {
	tok := realToken(t, "extended")
	k := tok.Claims.Kubernetes
	if err := tok.Claims.Check(); err != nil {
		t.Error(err)
	}
	if k.ServiceAccountSubject() != tok.Claims.Subject || k.Pod.Name != "busybox" || k.ServiceAccount.UID == "" {
		t.Errorf("kubernetes.io = %+v", k)
	}
	if got := k.WarnAfter.Sub(tok.Claims.IssuedAt); got != 3607*time.Second {
		t.Errorf("warnafter is %v after iat, want 3607 s", got)
	}
	if got := tok.Claims.Expires.Sub(tok.Claims.IssuedAt); got != 365*24*time.Hour {
		t.Errorf("lifetime is %v, want a year", got)
	}
	for _, name := range []string{"legacy-auto", "legacy-manual"} {
		tok := realToken(t, name)
		if err := tok.Claims.Check(); authn.ReasonOf(err) != authn.Legacy {
			t.Errorf("%s: %v, want legacy", name, err)
		}
	}
}

func realToken(t *testing.T, name string) *Token {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name + ".token")
	if err != nil {
		t.Fatal(err)
	}
	tok, err := Decode(strings.TrimSpace(string(b)))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return tok
}

func TestCheck(t *testing.T) {
	for claims, want := range map[string]authn.Reason{
		`{"sub":"s","exp":1}`: "",
		`{"exp":1}`:           authn.Claims,
		`{"sub":"","exp":1}`:  authn.Claims,
		`{"sub":"s"}`:         authn.Claims,
		`{"iss":"kubernetes/serviceaccount","sub":"s"}`: authn.Legacy,
	} {
		tok, err := Decode(compact(goodHeader, claims))
		if err != nil {
			t.Fatal(err)
		}
		if err := tok.Claims.Check(); (err != nil) != (want != "") || err != nil && authn.ReasonOf(err) != want {
			t.Errorf("%s: %v, want %q", claims, err, want)
		}
	}
}

func TestCheckTimes(t *testing.T) {
	now := time.Unix(10_000, 0)
	for _, tc := range []struct {
		name          string
		exp, nbf, iat int64
		leeway        time.Duration
		want          authn.Reason
	}{
		{"in time", 10_001, 10_000, 10_000, 0, ""},
		{"at exp", 10_000, 0, 0, 0, authn.Expired},
		{"within the leeway", 9_941, 0, 0, time.Minute, ""},
		{"at the end of the leeway", 9_940, 0, 0, time.Minute, authn.Expired},
		{"nbf ahead", 20_000, 10_001, 0, 0, authn.NotYetValid},
		{"iat ahead", 20_000, 0, 10_001, 0, authn.NotYetValid},
		{"nbf within the leeway", 20_000, 10_060, 0, time.Minute, ""},
		{"iat past the leeway", 20_000, 0, 10_061, time.Minute, authn.NotYetValid},
		{"far future", 1 << 53, 0, 0, time.Minute, ""},
	} {
		c := Claims{Expires: time.Unix(tc.exp, 0), NotBefore: time.Unix(tc.nbf, 0), IssuedAt: time.Unix(tc.iat, 0)}
		err := c.CheckTimes(now, tc.leeway)
		if (err != nil) != (tc.want != "") || err != nil && authn.ReasonOf(err) != tc.want {
			t.Errorf("%s: %v, want %q", tc.name, err, tc.want)
		}
	}
}

// Who reads a refusal learns that a name is there twice, and not which.
func TestDuplicateIsNamed(t *testing.T) {
	_, err := Decode(compact(goodHeader, `{"sub":"s3cr3t","sub":"b"}`))
	if err == nil || !strings.Contains(err.Error(), "the claims has a name twice, near byte") || strings.Contains(err.Error(), "s3cr3t") {
		t.Errorf("%v", err)
	}
}
