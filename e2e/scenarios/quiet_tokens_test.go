package scenarios

import (
	"crypto/rand"
	"encoding/base64"
	"strings"
	"testing"
	"time"
)

const goodToken = "good"

// allTokens makes tokens of all kinds, of which one opens the gate.
func allTokens(t *testing.T, c *callingPod) map[string]string {
	t.Helper()
	good := c.request(t, gateAudience)
	parts := strings.Split(good, ".")
	signature := []byte(parts[2])
	signature[10]++ // a letter, or what follows one, or no base64url
	with := func(name string, value any) string {
		return altered(t, good, func(claims map[string]any) { claims[name] = value })
	}
	header := func(h map[string]any) string { return segment(t, h) + "." + parts[1] + "." + parts[2] }
	tokens := map[string]string{
		goodToken:      good,
		"other":        c.request(t, "another.example"),
		"both":         c.request(t, gateAudience, clusterIssuer(t)),
		"default":      c.request(t, clusterIssuer(t)),
		"expired":      with("exp", time.Now().Add(-time.Hour).Unix()),
		"early":        with("nbf", time.Now().Add(time.Hour).Unix()),
		"renamed":      renamed(t, good),
		"signature":    parts[0] + "." + parts[1] + "." + string(signature),
		"short":        good[:len(good)-5],
		"two-parts":    parts[0] + "." + parts[1],
		"none":         header(map[string]any{"alg": "none"}),
		"hmac":         header(map[string]any{"alg": "HS256"}),
		"key":          header(map[string]any{"alg": "RS256", "kid": "nobody's"}),
		"opaque":       rand.Text(),
		"garbage":      garbage(30) + "." + garbage(60) + "." + garbage(64),
		"padded":       good + "==",
		"20-KiB":       good + garbage(15<<10),
		"token-as-iss": with("iss", good),
		"token-as-sub": with("sub", good),
		"token-as-aud": with("aud", []string{good, good}),
		"token-as-jti": with("jti", good),
		"token-as-exp": with("exp", good),
		"token-claim":  with(good, good),
		"token-as-kid": header(map[string]any{"alg": "RS256", "kid": good}),
		"token-as-alg": header(map[string]any{"alg": good}),
		"token-as-typ": header(map[string]any{"alg": "RS256", "typ": good}),
		"token-field":  header(map[string]any{"alg": "RS256", good: good}),
		"not-json":     base64.RawURLEncoding.EncodeToString([]byte(good)) + "." + parts[1] + "." + parts[2],
	}
	for _, token := range tokens {
		learn(token)
	}
	return tokens
}

// garbage returns n random bytes in base64url.
func garbage(n int) string {
	data := make([]byte, n)
	rand.Read(data) // never fails
	return base64.RawURLEncoding.EncodeToString(data)
}
